"""What waits for a person is listed, with the command that settles it, until it is settled."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta

from lightfast_pipelines.assets.waiting_for_you import (
    DEAD_PATIENCE,
    PARKED_PATIENCE,
    age,
    forgotten,
)
from lightfast_pipelines.inbox.waiting import WaitingForYou, waiting_for_you
from lightfast_pipelines.store.database import Connection
from tests.capture.deliveries import NOW, capture_all, delivery, receive, workspace_with
from tests.providers.github import payloads as github

SOON = NOW + timedelta(hours=1)


def park(conn: Connection) -> None:
    """Two deliveries of one unlinked repository, one of a shape that nobody knows, one broken."""
    receive(
        conn,
        [
            delivery("pull_request", github.pull_request()),
            delivery("issues", github.issue(), received_at=NOW - timedelta(days=3)),
            delivery("solar_eclipse", {"action": "seen", "repository": github.repository()}),
            delivery("issues", b"[not json", received_at=NOW - timedelta(days=2)),
        ],
    )
    capture_all(conn)


def test_each_kind_is_listed_with_its_count_age_and_events(conn: Connection) -> None:
    workspace_with(conn, "shop", 99)
    park(conn)
    waiting = waiting_for_you(conn, now=SOON)
    [unlinked] = waiting.unlinked
    assert (unlinked.resource_key, unlinked.deliveries) == ("github:repository:1", 2)
    assert unlinked.events == ("issues", "pull_request")
    assert unlinked.oldest_at == NOW - timedelta(days=3)
    [unknown] = waiting.unknown
    assert (unknown.provider, unknown.event, unknown.deliveries) == ("github", "solar_eclipse", 1)
    [dead] = waiting.dead
    assert (dead.event, dead.deliveries, dead.oldest_at) == ("issues", 1, NOW - timedelta(days=2))
    assert waiting.deliveries == {"parked": 3, "dlq": 1}
    assert waiting.oldest["parked"] == NOW - timedelta(days=3)


def test_an_id_from_a_payload_is_quoted_for_the_shell(conn: Connection) -> None:
    workspace_with(conn, "shop", 99)
    payload = {**github.pull_request()}
    receive(conn, [delivery("pull_request", payload)])
    capture_all(conn)
    conn.execute("UPDATE lightfast.outcomes SET resource_key = 'github:repository:1; rm -r $HOME'")
    [unlinked] = waiting_for_you(conn, now=SOON).unlinked
    assert shlex.split(unlinked.command or "")[-1] == "1; rm -r $HOME"


def test_stubs_are_counted_by_kind_and_age(conn: Connection) -> None:
    workspace_with(conn)
    receive(conn, [delivery("pull_request", github.pull_request(body="See acme/other#5"))])
    capture_all(conn)
    (seen,) = conn.execute(
        "SELECT min(first_seen_at) FROM lightfast.entities WHERE is_stub"
    ).fetchone() or (None,)
    assert seen is not None
    for passed, band in ((1, "up to a day"), (24 * 5, "up to a week"), (24 * 90, "older")):
        stubs = waiting_for_you(conn, now=seen + timedelta(hours=passed)).stubs
        assert band in {one.age for one in stubs if one.kind == "github:ref"}


def test_the_fingerprint_changes_only_with_the_list(conn: Connection) -> None:
    before = waiting_for_you(conn, now=SOON).fingerprint
    assert before == waiting_for_you(conn, now=SOON + timedelta(minutes=10)).fingerprint
    park(conn)
    assert waiting_for_you(conn, now=SOON).fingerprint != before


def test_the_checks_warn_once_the_age_is_reached() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def checked(
        parked: timedelta | None, dead: timedelta | None, stuck: timedelta | None = None
    ) -> list[bool]:
        oldest = {
            "parked": None if parked is None else now - parked,
            "dlq": None if dead is None else now - dead,
        }
        waiting = WaitingForYou(
            deliveries={"parked": 1, "dlq": 1},
            oldest=oldest,
            oldest_stuck=None if stuck is None else now - stuck,
        )
        return [bool(result.passed) for result in forgotten(waiting, now)]

    second = timedelta(seconds=1)
    assert checked(None, None) == [True, True, True]
    assert checked(PARKED_PATIENCE, DEAD_PATIENCE, DEAD_PATIENCE) == [True, True, True]
    assert checked(PARKED_PATIENCE + second, None) == [False, True, True]
    assert checked(None, DEAD_PATIENCE + second) == [True, False, True]
    assert checked(None, None, DEAD_PATIENCE + second) == [True, True, False]
    assert [age(timedelta(days=1)), age(timedelta(hours=5)), age(second)] == [
        "1 day", "5 hours", "under a minute",
    ]  # fmt: skip
