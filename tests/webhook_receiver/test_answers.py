"""How each kind of delivery is answered, and what is stored."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, date, datetime

import httpx
import pytest

from lightfast_pipelines.store.database import Database
from tests.webhook_receiver.serving import (
    SECRET,
    count,
    deliver,
    port_of,
    ready_receiver,
    signed,
)

ODD_BODY = b'{ "text":"\\u0000 \\ud800 caf\xc3\xa9", "a":1, "a":2 }\n'


def test_a_signed_delivery_is_stored_byte_for_byte(database: Database) -> None:
    now = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    with ready_receiver(database.url("receiver"), clock=lambda: now) as client:
        headers = signed(ODD_BODY, "id-1") | {"authorization": "not to be kept"}
        answer = client.post("/webhooks/github", content=ODD_BODY, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    with database.connect() as conn:
        row = conn.execute(
            """
            SELECT p.provider, p.delivery_id, p.event_type, p.ingestion_source, p.received_at,
              p.partition_date, p.verified_by, p.org_id, p.body_sha256, b.body, b.headers,
              q.partition_date
            FROM lightfast.raw_payloads p
            JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
            JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
            """
        ).fetchone()
    assert row is not None
    assert row[:8] == (
        *("github", "id-1", "ping", "webhook", now, date(2026, 3, 1), "env:NAME#1", None),
    )
    assert row[8:10] == (hashlib.sha256(ODD_BODY).digest(), ODD_BODY)
    assert row[10] == signed(ODD_BODY, "id-1")
    assert row[11] == date(2026, 3, 1)


def test_a_repeated_delivery_is_one_row(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        answers = [deliver(client), deliver(client)]
    assert [a.json()["duplicate"] for a in answers] == [False, True]
    assert [a.status_code for a in answers] == [200, 200]
    assert (count(database), count(database, "raw_bodies"), count(database, "raw_queue")) == (
        1,
        1,
        1,
    )


def test_an_id_that_is_sent_again_with_another_body_is_stored(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        answers = [deliver(client, b'{"n":1}'), deliver(client, b'{"n":2}')]
    assert [a.json()["duplicate"] for a in answers] == [False, False]
    assert count(database) == 2


def test_deliveries_that_arrive_together_are_each_stored_once(database: Database) -> None:
    """Some of them the same: one statement must not meet its own row."""

    async def together(port: int) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            body = b'{"zen":"x"}'
            return await asyncio.gather(
                *(
                    client.post("/webhooks/github", content=body, headers=signed(body, str(n % 40)))
                    for n in range(120)
                )
            )

    with ready_receiver(database.url("receiver")) as client:
        answers = asyncio.run(together(port_of(client)))
    assert {a.status_code for a in answers} == {200}
    assert sum(not a.json()["duplicate"] for a in answers) == 40
    assert (count(database), count(database, "raw_bodies"), count(database, "raw_queue")) == (
        40,
    ) * 3


def test_both_secrets_verify_during_a_rotation(database: Database) -> None:
    with ready_receiver(database.url("receiver"), secret="new,old") as client:
        for secret in ("old", "new"):
            headers = signed(b"{}", f"by-{secret}", secret)
            assert (
                client.post("/webhooks/github", content=b"{}", headers=headers).status_code == 200
            )
    with database.connect() as conn:
        found = conn.execute(
            "SELECT delivery_id, verified_by FROM lightfast.raw_payloads ORDER BY 1"
        ).fetchall()
    assert found == [("by-new", "env:NAME#1"), ("by-old", "env:NAME#2")]


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def test_an_unverified_delivery_gets_401_without_a_detail(database: Database) -> None:
    body = b'{"zen":"x"}'
    good = signed(body)
    sha1 = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    refused = {
        "no signature": without(good, "x-hub-signature-256"),
        "wrong": good | {"x-hub-signature-256": signed(b"{}")["x-hub-signature-256"]},
        "other secret": good
        | {"x-hub-signature-256": signed(body, secret="x")["x-hub-signature-256"]},
        "not hex": good | {"x-hub-signature-256": "sha256=zz"},
        "sha1 alone": without(good, "x-hub-signature-256") | {"x-hub-signature": sha1},
        "unsigned and without event": without(good, "x-hub-signature-256", "x-github-event"),
    }
    with ready_receiver(database.url("receiver")) as client:
        answers = {
            why: client.post("/webhooks/github", content=body, headers=headers)
            for why, headers in refused.items()
        }
    assert {why: a.status_code for why, a in answers.items()} == dict.fromkeys(refused, 401)
    assert len({a.content for a in answers.values()}) == 1
    assert count(database) == 0


@pytest.mark.parametrize("secret", ["", ","])
def test_an_empty_secret_refuses_every_delivery(database: Database, secret: str) -> None:
    with ready_receiver(database.url("receiver"), secret=secret) as client:
        answer = client.post("/webhooks/github", content=b"{}", headers=signed(b"{}", secret=""))
    assert answer.status_code == 401
    assert count(database) == 0


def test_a_verified_delivery_that_is_not_in_githubs_format_gets_400_with_the_reason(
    database: Database,
) -> None:
    wrong = {
        "not JSON": (b"{", {}),
        "not an object": (b"[]", {}),
        "no body": (b"", {}),
        "no event": (b"{}", {"x-github-event": ""}),
        "no delivery id": (b"{}", {"x-github-delivery": ""}),
        "other type": (b"{}", {"content-type": "text/plain"}),
        "deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
    }
    with ready_receiver(database.url("receiver")) as client:
        for why, (body, headers) in wrong.items():
            answer = client.post("/webhooks/github", content=body, headers=signed(body) | headers)
            assert answer.status_code == 400, why
            assert answer.json()["error"], why
    assert count(database) == 0


def test_only_a_post_to_a_known_provider_is_a_delivery(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        assert client.post("/webhooks/nobody", content=b"{}").status_code == 404
        assert client.post("/webhooks", content=b"{}").status_code == 404
        assert client.post("/webhooks/github/", content=b"{}").status_code == 404
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            answer = client.request(method, "/webhooks/github")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), method
        assert deliver(client).status_code == 200


def test_healthz_and_readyz_report_liveness_and_readiness(database: Database) -> None:
    with ready_receiver(database.url("receiver")) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").json() == {"ready": True}
