"""Several workers on one port: replaced when they die, ended together, counted together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    PATIENCE,
    SECRET,
    Process,
    deliver,
    deliver_without_end,
    port_of,
    receiver_process,
    stored_ids,
    until,
)
from webhook_receiver.metrics import Layout, mapped_cells
from webhook_receiver.workers import _shared_cells


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def workers_of(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.popen.pid).children()


def numbers(port: int) -> dict[tuple[str, ...], float]:
    """The samples by name and the values of their labels, these ordered by the labels' names."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    samples = (s for family in text_string_to_metric_families(text) for s in family.samples)
    return {
        (
            sample.name.removeprefix("lightfast_receiver_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for sample in samples
    }


def deliver_by_own_connections(process: Process, ids: Sequence[str]) -> None:
    for delivery_id in ids:
        with httpx.Client(base_url=process.client.base_url, timeout=PATIENCE) as client:
            assert deliver(client, delivery_id=delivery_id).status_code == 200


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing(
    database: Database, tmp_path: Path
) -> None:
    answered: set[str] = set()
    with receiver_process(database, tmp_path, LIGHTFAST_RECEIVER_WORKERS="2") as process:
        before = workers_of(process)
        assert len(before) == 2
        load = threading.Thread(
            target=lambda: asyncio.run(deliver_without_end(port_of(process.client), 8, answered))
        )
        load.start()
        until(lambda: len(answered) > 100, "no load")
        before[0].kill()
        until(
            lambda: len(workers_of(process)) == 2 and before[0] not in workers_of(process),
            "nobody replaced it",
        )
        # New connections are divided among both: some of these reach the new worker.
        later = [f"later-{n}" for n in range(20)]
        deliver_by_own_connections(process, later)
        process.signal(signal.SIGTERM)
        assert process.popen.wait(30) == 0
        load.join(30)
        assert not [worker for worker in before if worker.is_running()]
    assert answered | set(later) <= stored_ids(database)
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert [line["code"] for line in lines if line["event"] == "a worker died"] == [-9]


def test_workers_end_with_a_parent_that_is_killed(database: Database, tmp_path: Path) -> None:
    with receiver_process(database, tmp_path, LIGHTFAST_RECEIVER_WORKERS="2") as process:
        workers = workers_of(process)
        process.signal(signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, timeout=30)
        assert (len(gone), alive) == (2, [])


def test_a_port_in_use_is_never_shared_with_another_receiver(
    database: Database, tmp_path: Path
) -> None:
    with receiver_process(database, tmp_path, LIGHTFAST_RECEIVER_WORKERS="2") as process:
        second = subprocess.run(
            [sys.executable, "-m", "webhook_receiver", "--workers", "2"],
            env={**os.environ, "LIGHTFAST_RECEIVER_PORT": str(port_of(process.client))},
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert second.returncode == 1
    assert b"cannot listen" in second.stderr


def test_workers_that_cannot_start_end_the_receiver(database: Database, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="a worker could not start"),
        receiver_process(database, tmp_path, LIGHTFAST_RECEIVER_WORKERS="2", ENCRYPTION_KEY="aabb"),
    ):
        pass


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_are_those_of_all_workers(database: Database, tmp_path: Path, workers: str) -> None:
    port = free_port()
    with receiver_process(
        database,
        tmp_path,
        LIGHTFAST_RECEIVER_WORKERS=workers,
        LIGHTFAST_METRICS_ADDRESS=f"127.0.0.1:{port}",
    ) as process:
        deliver_by_own_connections(process, [f"id-{n}" for n in range(12)] * 2)
        unsigned = process.client.post("/webhooks/linear", content=b"{}")
        unknown = process.client.post("/webhooks/no-such-provider", content=b"{}")
        assert (unsigned.status_code, unknown.status_code) == (401, 404)
        until(lambda: numbers(port)["connections",] >= 1, "no connection is counted")
        shown = numbers(port)
        assert shown["deliveries_total", "new", "github"] == 12
        assert shown["deliveries_total", "duplicate", "github"] == 12
        assert shown["deliveries_total", "refused", "linear"] == 1
        assert shown["deliveries_total", "refused", "none"] == 1
        assert shown["refusals_total", "not verified"] == 1
        assert shown["body_bytes_total", "github"] == 24 * len(b'{"zen":"x"}')
        assert shown["answer_seconds_count", "github"] == 24
        assert shown["answer_seconds_bucket", "+Inf", "github"] == 24
        assert shown["commit_deliveries_sum",] == 24
        assert shown["connected_workers",] == shown["workers",] == int(workers)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert SECRET not in text
        assert "no-such-provider" not in text
        # Where providers send to, nothing of it is shown.
        assert process.client.get("/metrics").status_code == 404


def test_counts_survive_the_worker_that_made_them(database: Database, tmp_path: Path) -> None:
    port = free_port()
    with receiver_process(
        database,
        tmp_path,
        LIGHTFAST_RECEIVER_WORKERS="2",
        LIGHTFAST_METRICS_ADDRESS=f"127.0.0.1:{port}",
    ) as process:
        deliver_by_own_connections(process, [f"id-{n}" for n in range(10)])
        for worker in workers_of(process):
            worker.kill()
        until(lambda: numbers(port)["connected_workers",] == 2, "they did not come back")
        deliver_by_own_connections(process, [f"more-{n}" for n in range(10)])
        assert numbers(port)["deliveries_total", "new", "github"] == 20


def test_deliveries_are_received_where_the_address_for_metrics_is_taken(
    database: Database, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with receiver_process(database, tmp_path, LIGHTFAST_METRICS_ADDRESS=address) as process:
            assert deliver(process.client).status_code == 200
            until(lambda: "no metrics" in process.log.read_text(), "nothing is said")


def test_a_worker_whose_share_is_smaller_than_a_body_still_takes_that_body(
    database: Database, tmp_path: Path
) -> None:
    settings = {
        "LIGHTFAST_RECEIVER_WORKERS": "4",
        "LIGHTFAST_MAX_BODY_BYTES": "100000",
        "LIGHTFAST_MAX_INFLIGHT_BYTES": "200000",
    }
    body = b'{"zen":"' + b"x" * 80_000 + b'"}'
    with receiver_process(database, tmp_path, **settings) as process:
        assert deliver(process.client, body).status_code == 200


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system shares a file instead")
def test_counts_need_no_disk_which_may_be_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no room"))
    layout = Layout(["github"])
    descriptor, cells = _shared_cells(layout)
    cells[layout.size - 1] += 1.0
    assert mapped_cells(descriptor)[layout.size - 1] == 1.0
    os.close(descriptor)
