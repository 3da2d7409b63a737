"""Linear's deliveries at the receiver: each retry carries the time of the first attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lightfast_pipelines.store.database import Database
from tests.providers.linear import payloads
from tests.webhook_receiver.serving import SECRET, count, ready_receiver


def _body(age: timedelta) -> bytes:
    sent = datetime.now(UTC) - age
    payload = payloads.issue() | {"webhookTimestamp": int(sent.timestamp() * 1000)}
    return payloads.encoded(payload)


@pytest.mark.parametrize(
    "age", [timedelta(minutes=1), timedelta(hours=1, minutes=1), timedelta(hours=7, minutes=2)]
)
def test_a_retry_after_an_outage_is_stored_and_a_second_one_is_a_duplicate(
    database: Database, age: timedelta
) -> None:
    body = _body(age)
    headers = payloads.delivery_headers(body, SECRET.encode())
    with ready_receiver(database.url("receiver")) as client:
        answers = [client.post("/webhooks/linear", content=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    assert count(database) == 1


def test_a_delivery_older_than_the_last_retry_is_refused(database: Database) -> None:
    body = _body(timedelta(days=2))
    with ready_receiver(database.url("receiver")) as client:
        answer = client.post(
            "/webhooks/linear",
            content=body,
            headers=payloads.delivery_headers(body, SECRET.encode()),
        )
    assert answer.status_code == 401
    assert count(database) == 0
