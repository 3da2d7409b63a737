"""The receiver as a process: killed, stopped, flooded with large bodies."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    deliver,
    deliver_without_end,
    everything_from,
    port_of,
    raw_request,
    receiver_process,
    signed,
    stored_ids,
    until,
)

MIB = 1024 * 1024


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_no_answered_delivery_is_missing_however_it_ends(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    answered: set[str] = set()
    with receiver_process(database, tmp_path) as process:
        load = threading.Thread(
            target=lambda: asyncio.run(deliver_without_end(port_of(process.client), 16, answered))
        )
        load.start()
        until(lambda: len(answered) > 300, "no load")
        process.signal(number)
        process.popen.wait(30)
        load.join(30)
    assert answered <= stored_ids(database)
    if number == signal.SIGTERM:
        assert process.popen.returncode == 0
        # Told to stop it answers what it has: nothing is stored that its sender must send again.
        assert answered == stored_ids(database)


def test_nothing_is_answered_before_the_commit(database: Database, tmp_path: Path) -> None:
    """A lock keeps the commit from happening; then the process is killed."""
    answered: set[str] = set()
    with (
        receiver_process(database, tmp_path) as process,
        database.connect("migrator") as holder,
        database.connect(autocommit=True) as watcher,
    ):
        holder.execute("LOCK TABLE lightfast.raw_queue IN SHARE MODE")
        load = threading.Thread(
            target=lambda: asyncio.run(deliver_without_end(port_of(process.client), 8, answered))
        )
        load.start()
        waiting = (
            "SELECT FROM pg_locks WHERE NOT granted AND relation = 'lightfast.raw_queue'::regclass"
        )
        until(lambda: watcher.execute(waiting).fetchone() is not None, "nothing waits for the lock")
        process.signal(signal.SIGKILL)
        load.join(30)
    assert answered == set()


def test_a_body_in_progress_at_shutdown_is_still_stored(database: Database, tmp_path: Path) -> None:
    body = b'{"zen":"x"}'
    headers = signed(body, "late") | {"host": "x", "content-length": "11", "expect": "100-continue"}
    head = "POST /webhooks/github HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with receiver_process(database, tmp_path) as process:
        with raw_request(process.client, head) as connection:
            # It asks for the body: the request is under way.
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(body[:5])
            process.signal(signal.SIGTERM)
            url = f"{process.client.base_url}/healthz"
            until(lambda: refused(url), "it still listens")
            connection.sendall(body[5:])
            assert everything_from(connection).startswith(b"HTTP/1.1 200")
        assert process.popen.wait(30) == 0
        assert not (tmp_path / "port").exists()
    assert "late" in stored_ids(database)


def refused(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False  # let in just before the door closed, and cut off: ask again
    return False


def test_it_logs_where_it_listens(database: Database, tmp_path: Path) -> None:
    with receiver_process(database, tmp_path) as process:
        lines = [json.loads(line) for line in process.log.read_text().splitlines()]
        [listening] = [line for line in lines if line["event"] == "listening"]
        assert httpx.get(f"{listening['url']}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("setting", "value"), [("LIGHTFAST_RECEIVER_PORT", "many"), ("ENCRYPTION_KEY", "aabb")]
)
def test_a_wrong_setting_is_reported_in_one_line(
    database: Database, tmp_path: Path, setting: str, value: str
) -> None:
    with (
        pytest.raises(AssertionError, match=setting),
        receiver_process(database, tmp_path, **{setting: value}),
    ):
        pass
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_64_bodies_of_25_mib_at_once_stop_no_small_delivery(
    database: Database, tmp_path: Path
) -> None:
    body = b'{"text":"' + b"x" * (25 * MIB - 11) + b'"}'
    headers = signed(body)

    async def flood(port: int) -> list[int]:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            limits=httpx.Limits(max_connections=80),
            timeout=60,
        ) as client:

            async def send_large(delivery_id: str) -> int:
                sent = headers | {"x-github-delivery": delivery_id}
                try:
                    answer = await client.post("/webhooks/github", content=body, headers=sent)
                except httpx.TransportError:
                    return 0  # refused, but it was too slow in sending the rest to be told
                return answer.status_code

            return await asyncio.gather(*(send_large(f"large-{n}") for n in range(64)))

    def send_small(client: httpx.Client, number: int) -> bytes:
        # Sent at once: on a slow machine the flood's own client takes too long between head and body.
        sent = signed(b"{}", f"small-{number}") | {"host": "x", "content-length": "2"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        request = f"POST /webhooks/github HTTP/1.1\r\n{lines}connection: close\r\n\r\n{{}}"
        with raw_request(client, request) as connection:
            return everything_from(connection)

    with receiver_process(database, tmp_path) as process, ThreadPoolExecutor() as threads:
        flooding = threads.submit(asyncio.run, flood(port_of(process.client)))
        answers: list[bytes] = []
        while not answers or not flooding.done():
            answers.append(send_small(process.client, len(answers)))
        statuses = flooding.result()
        assert set(statuses) <= {200, 503, 0}
        assert 200 in statuses
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}
        assert deliver(process.client, delivery_id="after").status_code == 200
    stored = stored_ids(database)
    assert {f"large-{n}" for n, status in enumerate(statuses) if status == 200} <= stored
