"""Errors and incidents as analysts see them: one row for each, with what caused and fixed it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from lightfast_pipelines.cli.values import values_of
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.tables import view_metadata
from tests.capture.deliveries import delivery, rows
from tests.capture.provider_deliveries import linked
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel
from tests.store.test_shipping_views import (
    MERGE,
    SHOP,
    VIEWS,
    captured,
    merged,
    moment,
    of_sentry,
    of_vercel,
)


def errors() -> list[Delivery]:
    return [
        of_sentry("issue", sentry.issue("created")),
        of_sentry("error", sentry.error("e1", "2024-05-01T10:00:00Z")),
        of_sentry("error", sentry.error("e2", "2024-05-01T10:10:00Z")),
        of_sentry("error", sentry.error("e3", "2024-05-01T10:20:00Z", release="shop@1.4.3")),
        of_sentry("error", sentry.error("e4", "2024-05-02T00:10:00Z", release="shop@1.4.3")),
        # The same event once more, in another delivery.
        of_sentry("error", sentry.error("e4", "2024-05-02T00:10:00Z", release="shop@1.4.3"), 9),
        of_sentry(
            "error",
            sentry.error(
                "e5", "2024-05-02T00:20:00Z", release=None, tags=[["transaction", "/cart"]]
            ),
        ),
    ]


def test_events_of_an_error_count_once_whether_they_stand_alone_or_not(conn: Connection) -> None:
    captured(conn, errors())
    assert rows(
        conn,
        """
        SELECT key, short_id, title, error_type, culprit, project, level, status, is_open, events,
               first_release, endpoints, last_seen_at
        FROM lightfast.errors
        """,
    ) == [
        (
            *("sentry:issue:42:4711", "SHOP-1A", "TypeError: price is undefined", "TypeError"),
            *("cart/total", "shop", "error", "unresolved", True, 5, "shop@1.4.2", ["/cart"]),
            datetime(2024, 5, 2, 0, 20, tzinfo=UTC),
        )
    ]
    assert rows(
        conn, "SELECT day, release, events FROM lightfast.error_days ORDER BY 1, 2 NULLS LAST"
    ) == [
        (date(2024, 5, 1), "shop@1.4.2", 2),
        (date(2024, 5, 1), "shop@1.4.3", 1),
        (date(2024, 5, 2), "shop@1.4.3", 1),
        (date(2024, 5, 2), None, 1),
    ]


def test_an_error_without_its_issues_events_is_described_by_the_first_of_its_own(
    conn: Connection,
) -> None:
    captured(conn, [of_sentry("error", sentry.error("e1"))])
    assert rows(
        conn,
        "SELECT short_id, error_type, level, status, is_open, events FROM lightfast.errors",
    ) == [(None, "TypeError", "error", "unresolved", True, 1)]


def test_an_error_that_was_merged_into_another_says_so(conn: Connection) -> None:
    captured(
        conn,
        [
            of_sentry("issue", sentry.issue("created")),
            of_sentry("issue", sentry.issue("created", issue_id="4700")),
            of_sentry("issue", sentry.merged("4700"), 5),
        ],
    )
    found = rows(conn, "SELECT key, status, is_open FROM lightfast.errors ORDER BY key")
    assert found == [
        ("sentry:issue:42:4700", "merged", False),
        ("sentry:issue:42:4711", "unresolved", True),
    ]
    status = view_metadata.tables["lightfast.errors"].columns["status"]
    assert {status for _, status, _ in found} <= set(values_of(status, {}) or ())


def broken_and_mended() -> list[Delivery]:
    """A release broke, and a pull request that names the error mended it."""
    release = {"release": MERGE["id"]}
    mend = github.commit("Merge pull request #2 from ada/mend", at="2024-05-03T08:00:00Z")
    text = "Fixes SHOP-1A"
    opened = github.pull_request("opened", 2, title="Mend the price", body=text, author="grace")
    closed = github.pull_request(
        *("closed", 2),
        title="Mend the price",
        body=text,
        author="grace",
        merged=True,
        merge_sha=mend["id"],
        at="2024-05-03T08:00:00Z",
    )
    return [
        *merged(),
        of_sentry("issue", sentry.issue("created", firstRelease={"version": MERGE["id"]})),
        of_sentry("error", sentry.error("e1", "2024-05-02T12:30:00Z", **release)),
        of_sentry(
            "event_alert", sentry.event_alert("e1", datetime="2024-05-02T12:30:00Z", **release)
        ),
        of_sentry(
            "event_alert", sentry.event_alert("e2", datetime="2024-05-02T12:50:00Z", **release)
        ),
        delivery("pull_request", opened),
        delivery("pull_request", closed),
        delivery("push", github.push([mend])),
        of_sentry(
            "issue", sentry.issue("resolved", last_seen="2024-05-02T13:00:00Z"), minutes=24 * 60
        ),
        # It comes back, and is reported again.
        of_sentry(
            "issue",
            sentry.issue("unresolved", last_seen="2024-05-05T09:00:00Z", substatus="regressed"),
            minutes=3 * 24 * 60,
        ),
        of_sentry(
            "event_alert", sentry.event_alert("e3", datetime="2024-05-05T10:30:00Z", **release)
        ),
    ]


def test_an_alert_leads_to_what_caused_its_error_and_what_mended_it(conn: Connection) -> None:
    captured(conn, broken_and_mended())
    [(caused, fixed)] = rows(conn, "SELECT caused_by, fixed_by FROM lightfast.errors")
    assert (caused, fixed) == ("github:pr:1#1", "github:pr:1#2")
    assert rows(
        conn,
        """
        SELECT kind, name, error, error_title, cause, cause_title, cause_pull_request, fix,
               fix_title, fixed_at
        FROM lightfast.incidents ORDER BY started_at LIMIT 1
        """,
    ) == [
        (
            *("event", "Checkout errors", "sentry:issue:42:4711", "TypeError: price is undefined"),
            *("github:pr:1#1", "Add a cart", "github:pr:1#1", "github:pr:1#2", "Mend the price"),
            datetime(2024, 5, 3, 8, tzinfo=UTC),
        )
    ]


def test_an_error_is_one_incident_each_time_that_it_is_open(conn: Connection) -> None:
    captured(conn, broken_and_mended())
    assert rows(
        conn,
        "SELECT started_at, resolved_at, is_open FROM lightfast.incidents ORDER BY started_at",
    ) == [
        (datetime(2024, 5, 2, 12, 30, tzinfo=UTC), moment(24 * 60), False),
        (datetime(2024, 5, 5, 10, 30, tzinfo=UTC), None, True),
    ]


def level(action: str, minutes: int, incident: str = "4", **more: Any) -> Delivery:
    began = moment(0 if incident == "4" else 60).strftime("%Y-%m-%dT%H:%M:%SZ")
    payload = sentry.metric_alert(
        action, incident=incident, date_started=began, date_detected=began, **more
    )
    return of_sentry("metric_alert", payload, minutes)


def test_two_levels_of_a_metric_at_one_moment_are_one_incident(conn: Connection) -> None:
    captured(conn, [level("critical", 1), level("warning", 1), level("resolved", 20)])
    assert rows(conn, "SELECT level, started_at, resolved_at FROM lightfast.incidents") == [
        ("critical", moment(1), moment(20))
    ]


def test_a_metric_that_gets_worse_and_better_is_one_incident(conn: Connection) -> None:
    captured(
        conn,
        [
            level("warning", 1),
            level("critical", 5),
            level("warning", 9),
            level("resolved", 20),
            level("critical", 65, "5"),
        ],
    )
    assert rows(
        conn,
        """
        SELECT key, name, kind, level, started_at, resolved_at, is_open, error, cause
        FROM lightfast.incidents ORDER BY started_at
        """,
    ) == [
        (
            *("sentry:alert:5:7", "Failed payments", "metric", "critical"),
            *(moment(1), moment(20), False, None, None),
        ),
        (
            *("sentry:alert:5:7", "Failed payments", "metric", "critical"),
            *(moment(65), None, True, None, None),
        ),
    ]


def test_two_tenants_with_the_same_things_see_their_own_and_no_row_twice(conn: Connection) -> None:
    story = [
        *broken_and_mended(),
        of_vercel("created", "dpl_1", 0, git=vercel.meta(MERGE["id"])),
        of_vercel("promoted", "dpl_1", 3, git=vercel.meta(MERGE["id"])),
        delivery("release", github.release()),
    ]
    linked(conn, "theirs", *SHOP)
    captured(conn, story)
    for view in VIEWS:
        found = rows(conn, f"SELECT * FROM lightfast.{view}")
        assert {slug for slug, *_ in found} == {"shop", "theirs"}, view
        mine = [row[2:] for row in found if row[0] == "shop"]
        theirs = [row[2:] for row in found if row[0] == "theirs"]
        assert len(mine) == len(theirs) == len(set(map(str, mine))), view
