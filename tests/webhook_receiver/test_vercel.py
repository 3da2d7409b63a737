"""Vercel's deliveries at the receiver: signed with SHA-1, identified by the id in their body."""

from __future__ import annotations

import json
from pathlib import Path

from lightfast_pipelines.store.database import Database
from tests.providers.vercel import payloads
from tests.webhook_receiver.serving import SECRET, count, ready_receiver


def test_a_delivery_sent_again_under_another_header_is_one_row(database: Database) -> None:
    body = payloads.encoded(payloads.deployment())
    with ready_receiver(database.url("receiver")) as client:
        answers = [
            client.post(
                "/webhooks/vercel",
                content=body,
                headers=payloads.delivery_headers(
                    body, SECRET.encode(), **{"x-vercel-id": f"iad1::{attempt}"}
                ),
            )
            for attempt in range(2)
        ]
        forged = client.post(
            "/webhooks/vercel", content=body, headers=payloads.delivery_headers(body, b"guessed")
        )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    assert forged.status_code == 401
    assert count(database) == 1


def test_every_real_delivery_is_accepted(shared: Path, database: Database) -> None:
    folder = shared / "payloads" / "vercel" / "webhooks" / "_lightfast-captured"
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    with ready_receiver(database.url("receiver")) as client:
        for body in bodies:
            headers = payloads.delivery_headers(body, SECRET.encode())
            answer = client.post("/webhooks/vercel", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
    assert len({json.loads(body)["id"] for body in bodies}) == count(database) == 4
