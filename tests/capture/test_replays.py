"""What is sent again changes nothing, under whatever id, event, header and time it comes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.capture.repeats import REPEATED
from lightfast_pipelines.inbox.requeue import rebuild, requeue_days
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import FIRST_SENT_AT
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.installations import add_installation
from lightfast_pipelines.store.linked_resources import (
    add_workspace,
    find_integration,
    link_resource,
    set_active,
)
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.capture.recorded import link_everything, recorded
from tests.depth import examples
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

Json = dict[str, Any]


def _again(
    delivery: Delivery, number: int, *, after: timedelta = timedelta(hours=3), **more: Any
) -> Delivery:
    """The same body with a fresh id, time of receipt and time of sending."""
    at = delivery.received_at + after
    headers = {**delivery.headers, "user-agent": "somebody else"}
    if delivery.provider == "sentry":
        headers["sentry-hook-timestamp"] = str(int(at.timestamp()))
    fresh: dict[str, Any] = {
        "delivery_id": f"again-{number}-{delivery.delivery_id[:40]}",
        "received_at": at,
        "partition_date": at.date(),
        "headers": headers,
    }
    return replace(delivery, **{**fresh, **more})


def _repositories(action: str, *numbers: int) -> Json:
    listed = [{"id": n, "name": f"r{n}", "full_name": f"acme/r{n}"} for n in numbers]
    return {
        "action": action,
        "installation": {"id": 7, "account": {"login": "acme", "id": 70}},
        "repositories_added": listed if action == "added" else [],
        "repositories_removed": listed if action == "removed" else [],
        "sender": github.user(),
    }


def _owner_renamed(old: str, new: str) -> Json:
    return {
        "action": "renamed",
        "changes": {"login": {"from": old}},
        "account": {"login": new, "id": 70},
        "installation": {"id": 7},
        "sender": github.user(),
    }


def _repository(action: str, at: str, name: str = "acme/r1") -> Json:
    repository = github.repository(name, 1, updated_at=at)
    return {"action": action, "repository": repository, "sender": github.user()}


def _story() -> list[Delivery]:
    """Facts of all four providers that are undone, or done again, by others that came later."""
    events: list[tuple[str, str, Json]] = [
        ("github", "installation_repositories", _repositories("removed", 1, 2)),
        ("github", "installation_repositories", _repositories("added", 1, 2)),
        ("github", "installation_target", _owner_renamed("acme", "umbrella")),
        ("github", "installation_target", _owner_renamed("umbrella", "acme")),
        ("github", "repository", _repository("archived", "2024-05-02T00:00:00Z")),
        ("github", "repository", _repository("unarchived", "2024-05-03T00:00:00Z")),
        ("github", "issues", github.issue("opened", 5, body="See umbrella/r2#7 and #6")),
        ("github", "issues", github.issue("closed", 5, at="2024-05-03T00:00:00Z")),
        ("github", "issues", github.issue("reopened", 5, at="2024-05-04T00:00:00Z")),
        ("github", "pull_request", github.pull_request("opened", 6, body="Fixes #5")),
        ("github", "push", github.push([github.commit("Fix the cart (#6)")])),
        ("sentry", "installation", sentry.installation("deleted")),
        ("sentry", "installation", sentry.installation("created")),
        ("sentry", "error", sentry.error("e1")),
        ("sentry", "error", sentry.error("e2", "2024-05-01T10:05:00Z")),
        ("sentry", "error", sentry.error("e3", "2024-05-01T10:06:00Z")),
        ("sentry", "issue", sentry.issue("resolved")),
        ("sentry", "issue", sentry.issue("unresolved", substatus="regressed")),
        ("sentry", "issue", sentry.issue("assigned")),
        ("sentry", "metric_alert", sentry.metric_alert("critical")),
        ("sentry", "metric_alert", sentry.metric_alert("warning")),
        ("sentry", "comment", sentry.comment("created")),
        ("sentry", "comment", sentry.comment("deleted")),
        ("sentry", "activity_alert", sentry.activity_alert()),
        ("sentry", "seer", sentry.seer()),
        ("linear", "Issue", linear.issue()),
        ("linear", "Issue", linear.issue_update({"title": "Old"})),
        ("linear", "Comment", linear.comment()),
        ("vercel", "deployment.created", vercel.deployment("created")),
        ("vercel", "deployment.succeeded", vercel.deployment("succeeded", at=vercel.AT + 9)),
    ]
    return [
        provider_delivery(provider, event, payload, at=NOW + timedelta(minutes=number))
        for number, (provider, event, payload) in enumerate(events)
    ]


STORY = _story()
# By provider: a header names the event, and no signature covers it.
EVENTS = {
    name: sorted({rule.event for rule in provider.events if "*" not in rule.event})
    for name, provider in discover().items()
}


def _linked(conn: Connection) -> None:
    linked(
        conn,
        "shop",
        *[("github", "1"), ("github", "2"), ("sentry", "42"), ("vercel", "prj_1")],
        *[("linear", str(linear.TEAM["id"]))],
    )
    add_installation(conn, "github", "7", org_id="default")
    add_installation(conn, "sentry", sentry.UUID, org_id="default")
    conn.commit()


def _known(conn: Connection) -> list[object]:
    """Everything that is believed: the digest, what stands of connections, and the names."""
    return [
        digest_lines(conn),
        rows(
            conn,
            "SELECT provider, provider_resource_id, resource_name, status, status_reason, resource_meta"
            " FROM lightfast.resources ORDER BY 1, 2",
        ),
        rows(
            conn,
            "SELECT provider, external_id, status, status_reason, account_login,"
            " provider_account_info FROM lightfast.installations ORDER BY 1, 2",
        ),
        rows(
            conn,
            "SELECT org_id, alias, place, is_weak, first_at, last_at, shown"
            " FROM lightfast.place_names ORDER BY alias, place, first_at, is_weak",
        ),
    ]


def _played(
    database: Database,
    portions: Iterable[Sequence[Delivery]],
    batch_rows: int = 100,
    link: Callable[[Connection], None] = _linked,
) -> list[object]:
    with database.connect() as conn:
        link(conn)
        for portion in portions:
            receive(conn, portion)
            capture_all(conn, batch_rows=batch_rows)
        assert one(conn, "SELECT count(*) FROM lightfast.raw_queue") == 0
        return _known(conn)


@given(
    repeated=st.lists(st.integers(0, len(STORY) - 1), min_size=4, max_size=20),
    days=st.integers(0, 60),
    cut=st.integers(0, len(STORY)),
    batch_rows=st.integers(1, 12),
    random=st.randoms(use_true_random=False),
)
@examples(6, suppress=[HealthCheck.function_scoped_fixture])
def test_replays_in_any_order_leave_what_would_be_known_without_them(
    new_database: Callable[[], Database],
    repeated: list[int],
    days: int,
    cut: int,
    batch_rows: int,
    random: Any,
) -> None:
    replays = [
        _again(STORY[place], number, after=timedelta(days=days, minutes=number + 1))
        for number, place in enumerate(repeated)
    ]
    replays += [
        replace(each, event_type=random.choice(EVENTS[each.provider]), delivery_id=f"other-{n}")
        for n, each in enumerate(replays)
    ]
    everything = [*STORY, *replays]
    random.shuffle(everything)
    expected = _played(new_database(), [STORY])
    assert _played(new_database(), [everything[:cut], everything[cut:]], batch_rows) == expected


def test_every_recorded_payload_sent_again_changes_nothing(
    new_database: Callable[[], Database], shared: Path
) -> None:
    once = recorded(shared)
    twice = [_again(delivery, number) for number, delivery in enumerate(once)]

    def link(conn: Connection) -> None:
        link_everything(conn, once)

    expected = _played(new_database(), [once], link=link)
    assert _played(new_database(), [[*reversed(twice), *once]], 50, link) == expected


def test_an_old_resolved_webhook_of_sentry_with_a_fresh_time_resolves_nothing(
    conn: Connection,
) -> None:
    _linked(conn)
    resolved = provider_delivery("sentry", "issue", sentry.issue("resolved"), at=NOW)
    reopened = provider_delivery(
        "sentry", "issue", sentry.issue("unresolved"), at=NOW + timedelta(hours=1)
    )
    receive(conn, [resolved, reopened])
    capture_all(conn)
    receive(conn, [_again(resolved, n, after=timedelta(days=n + 1)) for n in range(30)])
    capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 2
    assert one(conn, "SELECT count(*) FROM lightfast.observation_sources") == 2
    current = "SELECT state_value FROM lightfast.temporal_states WHERE is_current AND state_type = 'status'"
    assert one(conn, current) == "unresolved"
    fates = rows(
        conn, "SELECT status, reason, count(*) FROM lightfast.outcomes GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert fates == [("delivered", None, 2), ("filtered", REPEATED, 30)]


def test_an_old_removal_of_an_installation_sent_again_after_it_was_added_removes_nothing(
    conn: Connection,
) -> None:
    _linked(conn)
    removed = provider_delivery("github", "installation_repositories", _repositories("removed", 1))
    added = provider_delivery(
        "github",
        "installation_repositories",
        _repositories("added", 1),
        at=NOW + timedelta(hours=1),
    )
    status = "SELECT status FROM lightfast.resources WHERE provider_resource_id = '1'"
    receive(conn, [_again(removed, 1), added])
    capture_all(conn)
    assert one(conn, status) == "removed"  # as its first receipt is not known yet
    receive(conn, [removed, _again(removed, 2, after=timedelta(days=200))])
    capture_all(conn)
    assert one(conn, status) == "active"
    assert one(conn, "SELECT count(*) FROM lightfast.lifecycle_events") == 2


def test_a_removed_that_was_lost_and_read_from_the_log_undoes_no_later_added(
    conn: Connection,
) -> None:
    _linked(conn)
    removed = provider_delivery("github", "installation_repositories", _repositories("removed", 1))
    added = provider_delivery(
        "github",
        "installation_repositories",
        _repositories("added", 1),
        at=NOW + timedelta(hours=1),
    )
    recovered = _again(removed, 1, ingestion_source="api", headers={FIRST_SENT_AT: NOW.isoformat()})
    receive(conn, [added, recovered])
    capture_all(conn)
    assert one(conn, "SELECT status FROM lightfast.resources WHERE provider_resource_id = '1'") == (
        "active"
    )


def test_a_webhook_repeats_an_ingested_file_in_that_organisation_alone(
    conn: Connection,
) -> None:
    theirs, ours = add_workspace(conn, "theirs", "other"), add_workspace(conn, "ours")
    for workspace in (theirs, ours):
        link_resource(conn, workspace, "sentry", "42" if workspace is ours else "43")
    conn.commit()
    resolved = provider_delivery("sentry", "issue", sentry.issue("resolved"), at=NOW)
    file = replace(
        _again(resolved, 1, after=timedelta(days=-9)),
        ingestion_source="manual",
        verified_by="manual",
        org_id="other",
    )
    receive(conn, [resolved, file])
    capture_all(conn)
    # The file of another organisation neither reaches this workspace nor decides what counts in it.
    assert rows(conn, "SELECT workspace_id, occurred_at FROM lightfast.observations") == [
        (ours.id, NOW)
    ]
    own = replace(file, org_id="default", delivery_id="own")
    receive(conn, [own])
    capture_all(conn)
    assert one(conn, "SELECT occurred_at FROM lightfast.observations") == own.received_at


def test_a_body_that_a_pause_kept_out_counts_when_it_is_ingested_later(conn: Connection) -> None:
    workspace = linked(conn, "shop", ("github", "1"))
    opened = provider_delivery("github", "issues", github.issue("opened", 5))
    link = find_integration(conn, workspace, "github", "1")
    set_active(conn, link, active=False, reason="away")
    conn.commit()
    receive(conn, [opened])
    capture_all(conn)
    # Resumed without what came meanwhile: the file alone tells of it.
    conn.execute("UPDATE lightfast.integrations SET is_active = true")
    conn.commit()
    file = _again(opened, 1, ingestion_source="manual", verified_by="manual", org_id="default")
    receive(conn, [file])
    capture_all(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 1


def test_a_rebuild_and_a_day_taken_again_choose_the_same_receipts(conn: Connection) -> None:
    _linked(conn)
    replays = [_again(each, n, after=timedelta(days=1)) for n, each in enumerate(STORY)]
    receive(conn, list(itertools.chain(*zip(replays, STORY, strict=True))))
    capture_all(conn, batch_rows=7)
    known_before = _known(conn)
    requeue_days(conn, [(NOW + timedelta(days=1)).date()])
    capture_all(conn, batch_rows=3)
    assert _known(conn) == known_before
    rebuild(conn)
    conn.commit()
    capture_all(conn, batch_rows=11)
    assert _known(conn) == known_before


def test_an_operator_reads_of_a_delivery_that_its_body_came_before(conn: Connection) -> None:
    linked(conn, "shop", ("github", "1"))
    opened = provider_delivery("github", "issues", github.issue("opened", 5))
    again = _again(opened, 1)
    receive(conn, [opened, again])
    capture_all(conn)
    assert rows(
        conn,
        "SELECT status, status_reason FROM lightfast.deliveries WHERE delivery_id = %s",
        again.delivery_id,
    ) == [("filtered", REPEATED)]


def test_a_header_that_says_it_was_sent_after_it_was_received_dates_nothing(
    conn: Connection,
) -> None:
    """As a file can: else an issue would be resolved until the year that the header names."""
    _linked(conn)
    resolved = replace(
        provider_delivery("sentry", "issue", sentry.issue("resolved"), at=NOW),
        headers={"sentry-hook-timestamp": "1900000000"},
    )
    receive(conn, [resolved])
    capture_all(conn)
    assert one(conn, "SELECT occurred_at FROM lightfast.observations") == NOW
