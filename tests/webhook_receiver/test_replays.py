"""Replays over HTTP with fresh unsigned parts add rows, but no facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lightfast_pipelines.capture.repeats import REPEATED
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, one, rows
from tests.capture.provider_deliveries import linked
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads as sentry
from tests.webhook_receiver.serving import SECRET, ready_receiver, signed

NOW = datetime.now(UTC).replace(microsecond=0)


def _sentry(body: bytes, number: int, after: timedelta) -> dict[str, str]:
    headers = sentry.delivery_headers("issue", body, SECRET.encode(), sent=NOW + after)
    return {**headers, "request-id": f"{number:032}"}


def test_thirty_fresh_ids_and_times_of_an_old_resolved_change_nothing(
    database: Database, conn: Connection
) -> None:
    linked(conn, "shop", ("sentry", "42"))
    resolved = sentry.encoded(sentry.issue("resolved"))
    reopened = sentry.encoded(sentry.issue("unresolved"))
    minute = timedelta(minutes=1)
    now = NOW
    with ready_receiver(database.url("receiver"), clock=lambda: now) as client:

        def send(body: bytes, number: int, after: timedelta) -> Any:
            headers = _sentry(body, number, after)
            return client.post("/webhooks/sentry", content=body, headers=headers)

        first, second = send(resolved, 1, -3 * minute), send(reopened, 2, -2 * minute)
        again = [send(resolved, 100 + n, n * timedelta(seconds=1)) for n in range(30)]
    assert {answer.status_code for answer in (first, second, *again)} == {200}
    capture_all(conn, batch_rows=7)
    assert one(conn, "SELECT count(*) FROM lightfast.raw_payloads") == 32
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 2
    assert rows(conn, "SELECT state_value FROM lightfast.temporal_states WHERE is_current") == [
        ("unresolved",)
    ]
    query = "SELECT count(*) FROM lightfast.deliveries WHERE status_reason = %s"
    assert one(conn, query, REPEATED) == 30


def test_a_github_body_sent_under_several_ids_and_events_is_one_fact(
    database: Database, conn: Connection
) -> None:
    linked(conn, "shop", ("github", "1"))
    body = github.encoded(github.issue("opened", 5, body="Like #6"))
    with ready_receiver(database.url("receiver")) as client:
        for number, event in enumerate(
            ("issues", "issues", "issue_comment", "pull_request", "star")
        ):
            headers = {**signed(body, f"id-{number}"), "x-github-event": event}
            client.post("/webhooks/github", content=body, headers=headers)
    capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == 1
    assert one(conn, "SELECT max(occurrence_count) FROM lightfast.entities") == 1


def test_a_forged_event_name_does_not_hide_the_providers_own_delivery(
    database: Database, conn: Connection
) -> None:
    """Whoever reads a failed delivery in its provider's list may send it before the provider does."""
    linked(conn, "shop", ("github", "1"), ("sentry", "42"))
    opened = github.encoded(github.issue("opened", 5))
    created = sentry.encoded(sentry.issue("created"))
    answers = []
    with ready_receiver(database.url("receiver"), clock=lambda: NOW) as client:
        for event in ("star", "pull_request", "of-no-kind", "issues", "issues"):
            headers = {**signed(opened, "one"), "x-github-event": event}
            answers.append(client.post("/webhooks/github", content=opened, headers=headers))
        for event in ("of-no-kind", "issue", "issue"):
            headers = {**_sentry(created, 1, timedelta()), "sentry-hook-resource": event}
            answers.append(client.post("/webhooks/sentry", content=created, headers=headers))
    assert [answer.json()["duplicate"] for answer in answers] == [
        *[False, False, False, False, True],
        *[False, False, True],
    ]
    capture_all(conn)
    told = rows(conn, "SELECT source FROM lightfast.observations ORDER BY source")
    assert told == [("github",), ("sentry",)]
