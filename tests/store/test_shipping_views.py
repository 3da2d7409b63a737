"""Deployments, errors and incidents as analysts see them: one row for each, and what is behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from tests.capture.deliveries import capture_all, delivery, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel
from tests.providers.vercel.payloads import AT, MINUTE

SHOP = (("github", "1"), ("vercel", "prj_1"), ("sentry", "42"), ("sentry", sentry.UUID))
MERGE = github.commit("Merge pull request #1 from ada/cart\n\nAdd a cart", at=github.CHANGED_AT)


def moment(minutes: int) -> datetime:
    return datetime.fromtimestamp(AT / 1000, UTC) + timedelta(minutes=minutes)


def of_vercel(transition: str, identity: str, minutes: int, **more: Any) -> Delivery:
    payload = vercel.deployment(transition, identity, at=AT + minutes * MINUTE, **more)
    return provider_delivery("vercel", payload["type"], payload)


def of_sentry(event: str, payload: dict[str, Any], minutes: int = 0) -> Delivery:
    return provider_delivery("sentry", event, payload, at=moment(minutes))


def captured(conn: Connection, deliveries: Iterable[Delivery], slug: str = "shop") -> None:
    linked(conn, slug, *SHOP)
    receive(conn, deliveries)
    capture_all(conn)


def of_github(
    status: str | None, number: int, minutes: int, environment: str = "production", **more: Any
) -> Delivery:
    at = moment(minutes).strftime("%Y-%m-%dT%H:%M:%SZ")
    deployment = {
        "id": number,
        "sha": MERGE["id"],
        "ref": "main",
        "task": "deploy",
        "environment": environment,
        "created_at": at,
        "updated_at": at,
        "creator": github.user("ada"),
    }
    place = {"repository": github.repository(), "sender": github.user("ada")}
    if status is None:
        return delivery(
            "deployment", {"action": "created", "deployment": deployment, **place, **more}
        )
    said = {"id": number * 100 + minutes, "state": status, "created_at": at, "updated_at": at}
    payload = {"action": "created", "deployment_status": {**said, **more}}
    return delivery("deployment_status", {**payload, "deployment": deployment, **place})


def merged() -> list[Delivery]:
    return [
        delivery("pull_request", github.pull_request("opened", title="Add a cart")),
        delivery(
            "pull_request",
            github.pull_request("closed", title="Add a cart", merged=True, merge_sha=MERGE["id"]),
        ),
        delivery("push", github.push([MERGE])),
    ]


def test_a_deployment_of_vercel_tells_what_it_deployed_and_when_it_served(
    conn: Connection,
) -> None:
    built = vercel.meta(MERGE["id"])
    captured(
        conn,
        [
            *merged(),
            of_vercel("created", "dpl_1", 0, git=built),
            of_vercel("succeeded", "dpl_1", 2, git=built),
            of_vercel("promoted", "dpl_1", 3, git=built),
            of_vercel("created", "dpl_2", 10),
            of_vercel("error", "dpl_2", 12, errorMessage="Command `build` exited with 1"),
        ],
    )
    assert rows(
        conn,
        """
        SELECT key, provider, project, repository, environment, status, commit_key, branch,
               pull_request, pull_request_number, title
        FROM lightfast.deployments ORDER BY created_at
        """,
    ) == [
        (
            *("vercel:deployment:dpl_1", "vercel", "shop", "acme/shop", "production", "promoted"),
            *(f"github:commit:{MERGE['id']}", "main", "github:pr:1#1", 1, "Add a cart"),
        ),
        (
            *("vercel:deployment:dpl_2", "vercel", "shop", "acme/shop", "production", "failed"),
            *(f"github:commit:{vercel.sha('head')}", "main", None, None, "Add a cart"),
        ),
    ]
    assert rows(
        conn,
        """
        SELECT created_at, ready_at, failed_at, is_live, live_from, live_to, error
        FROM lightfast.deployments ORDER BY created_at
        """,
    ) == [
        (moment(0), moment(2), None, True, moment(3), None, None),
        (moment(10), None, moment(12), False, None, None, "Command `build` exited with 1"),
    ]


def test_a_rollback_ends_one_period_and_begins_another(conn: Connection) -> None:
    back = vercel.rollback("dpl_2", "dpl_1", AT + 30 * MINUTE)
    captured(
        conn,
        [
            of_vercel("created", "dpl_1", 0),
            of_vercel("promoted", "dpl_1", 3),
            of_vercel("created", "dpl_2", 10),
            of_vercel("promoted", "dpl_2", 13),
            provider_delivery("vercel", "deployment.rollback", back),
        ],
    )
    assert rows(
        conn,
        """
        SELECT key, status, is_live, live_from, live_to FROM lightfast.deployments
        ORDER BY created_at
        """,
    ) == [
        ("vercel:deployment:dpl_1", "promoted", True, moment(30), None),
        ("vercel:deployment:dpl_2", "rolled_back", False, moment(13), moment(30)),
    ]
    assert rows(
        conn,
        """
        SELECT deployment, environment, project, live_from, live_to, is_live, reason
        FROM lightfast.deployment_periods ORDER BY live_from
        """,
    ) == [
        ("vercel:deployment:dpl_1", "production", "shop", moment(3), moment(13), False, "promoted"),
        (
            "vercel:deployment:dpl_2",
            "production",
            "shop",
            moment(13),
            moment(30),
            False,
            "promoted",
        ),
        ("vercel:deployment:dpl_1", "production", "shop", moment(30), None, True, "rollback"),
    ]


def test_a_deployment_of_github_serves_until_the_next_one_does(conn: Connection) -> None:
    captured(
        conn,
        [
            *merged(),
            of_github(None, 7, 0),
            of_github("in_progress", 7, 1),
            of_github("success", 7, 2),
            of_github(None, 8, 10),
            of_github("failure", 8, 11, description="The tests failed"),
            of_github(None, 9, 20),
            of_github("success", 9, 22),
            of_github("inactive", 7, 23),
        ],
    )
    assert rows(
        conn,
        """
        SELECT key, provider, project, repository, environment, status, pull_request, ready_at,
               failed_at, is_live, live_from, live_to, error
        FROM lightfast.deployments ORDER BY created_at
        """,
    ) == [
        (
            *("github:deployment:1:7", "github", None, "acme/shop", "production", "inactive"),
            *("github:pr:1#1", moment(2), None, False, moment(2), moment(22), None),
        ),
        (
            *("github:deployment:1:8", "github", None, "acme/shop", "production", "failed"),
            *("github:pr:1#1", None, moment(11), False, None, None, "The tests failed"),
        ),
        (
            *("github:deployment:1:9", "github", None, "acme/shop", "production", "succeeded"),
            *("github:pr:1#1", moment(22), None, True, moment(22), None, None),
        ),
    ]


def test_a_preview_names_the_pull_request_that_it_is_of(conn: Connection) -> None:
    built = vercel.meta(github.sha("on a branch"), githubPrId="1", githubCommitRef="cart")
    captured(conn, [*merged(), of_vercel("created", "dpl_1", 0, git=built, target=None)])
    assert rows(conn, "SELECT environment, pull_request, is_live FROM lightfast.deployments") == [
        ("preview", "github:pr:1#1", False)
    ]


def test_a_deployment_whose_beginning_was_not_received_is_described_by_its_end(
    conn: Connection,
) -> None:
    captured(conn, [*merged(), of_vercel("error", "dpl_1", 5, git=vercel.meta(MERGE["id"]))])
    assert rows(
        conn,
        """
        SELECT environment, status, pull_request, created_at, failed_at
        FROM lightfast.deployments
        """,
    ) == [("production", "failed", "github:pr:1#1", moment(5), moment(5))]


def test_what_is_deleted_or_only_named_is_no_deployment(conn: Connection) -> None:
    captured(
        conn,
        [
            of_vercel("created", "dpl_1", 0),
            of_vercel("cleanup", "dpl_1", 9),
            delivery("issues", github.issue(body="See https://shop-9-acme.vercel.app")),
        ],
    )
    assert rows(conn, "SELECT key FROM lightfast.deployments") == []


def _errors() -> list[Delivery]:
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
    captured(conn, _errors())
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


def _broken_and_mended() -> list[Delivery]:
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
    captured(conn, _broken_and_mended())
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
    captured(conn, _broken_and_mended())
    assert rows(
        conn,
        "SELECT started_at, resolved_at, is_open FROM lightfast.incidents ORDER BY started_at",
    ) == [
        (datetime(2024, 5, 2, 12, 30, tzinfo=UTC), moment(24 * 60), False),
        (datetime(2024, 5, 5, 10, 30, tzinfo=UTC), None, True),
    ]


def test_a_metric_that_gets_worse_and_better_is_one_incident(conn: Connection) -> None:
    def level(action: str, minutes: int, incident: str = "4", **more: Any) -> Delivery:
        began = moment(0 if incident == "4" else 60).strftime("%Y-%m-%dT%H:%M:%SZ")
        payload = sentry.metric_alert(
            action, incident=incident, date_started=began, date_detected=began, **more
        )
        return of_sentry("metric_alert", payload, minutes)

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


BY_INDEX = {
    "SELECT key FROM deployments WHERE workspace = 'shop' AND created_at > '2024-05-01'": (
        "ix_entities_deployments"
    ),
    "SELECT key FROM deployments ORDER BY created_at DESC LIMIT 20": "ix_entities_deployments",
    "SELECT key FROM errors ORDER BY first_seen_at DESC LIMIT 20": "ix_entities_errors",
    "SELECT live_from FROM deployments WHERE workspace_id = 1 AND key = 'x'": (
        "ix_temporal_states_live"
    ),
    "SELECT key FROM deployments WHERE status = 'failed'": "ix_temporal_states_status",
    "SELECT deployment FROM deployment_periods ORDER BY live_from DESC LIMIT 20": (
        "ix_temporal_states_live_from"
    ),
    "SELECT key FROM incidents WHERE kind = 'metric' AND started_at > now()": (
        "ix_temporal_states_level_from"
    ),
    "SELECT error FROM error_days WHERE workspace_id = 1 AND day > '2024-05-01'": (
        "ix_observation_facts_error_days"
    ),
}


@pytest.mark.parametrize(("question", "index"), list(BY_INDEX.items()))
def test_what_analysts_ask_of_deployments_and_errors_is_found_by_index(
    database: Database, question: str, index: str
) -> None:
    with database.connect("analyst", autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = rows(conn, f"EXPLAIN (FORMAT json) {question}")[0][0]
    assert f"'Index Name': '{index}'" in str(plan)


def test_columns_that_are_not_read_cost_no_join(conn: Connection) -> None:
    tables = {
        "SELECT key FROM lightfast.deployments": {"entities", "temporal_states", "workspaces"},
        "SELECT key FROM lightfast.errors": {"entities", "temporal_states", "workspaces"},
        "SELECT key FROM lightfast.releases": {"entities", "temporal_states", "workspaces"},
    }
    for question, read in tables.items():
        plan = str(rows(conn, f"EXPLAIN (FORMAT json) {question}")[0][0])
        assert set(re.findall(r"'Relation Name': '(\w+)'", plan)) == read, question


VIEWS = (
    *("deployments", "deployment_periods", "releases", "release_commits", "errors"),
    *("error_days", "incidents"),
)


def test_two_tenants_with_the_same_things_see_their_own_and_no_row_twice(conn: Connection) -> None:
    story = [
        *_broken_and_mended(),
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


def test_the_analysts_role_reads_every_view_and_calls_similar(database: Database) -> None:
    with database.connect() as conn:
        captured(conn, [*merged(), of_vercel("created", "dpl_1", 0)])
    with database.connect("analyst", autocommit=True) as conn:
        for view in VIEWS:
            conn.execute(f"SELECT * FROM {view}").fetchall()
        nothing = conn.execute("SELECT * FROM similar('shop', 'github:pr:1#1', 'issue', 3)")
        assert nothing.fetchall() == []
