"""Deployments as analysts see them: one row for each, and what is behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
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


def test_a_renamed_repository_has_one_name_in_every_view(conn: Connection) -> None:
    store = github.repository("acme/store", updated_at="2024-05-30T10:00:00Z")
    renamed = {"action": "renamed", "changes": {"repository": {"name": {"from": "shop"}}}}
    captured(
        conn,
        [
            *merged(),
            of_github(None, 7, 0),
            of_github("success", 7, 2),
            delivery("release", github.release()),
            delivery("issues", github.issue()),
            delivery("repository", {**renamed, "repository": store, "sender": github.user("ada")}),
        ],
    )
    for view in (
        *("changes", "pull_requests", "issues", "file_changes", "deployments"),
        *("deployment_periods", "releases"),
    ):
        named = rows(conn, f"SELECT DISTINCT repository FROM lightfast.{view}")
        assert named == [("acme/store",)], view
    assert rows(conn, "SELECT name FROM lightfast.repositories") == [("acme/store",)]


def test_a_deployment_of_a_pull_request_without_a_title_has_that_of_its_commit(
    conn: Connection,
) -> None:
    built = vercel.meta(github.sha("on a branch"), githubPrId="9", githubCommitRef="cart")
    captured(conn, [of_vercel("created", "dpl_1", 0, git=built, target=None)])
    assert rows(conn, "SELECT pull_request, title FROM lightfast.deployments") == [
        ("github:pr:1#9", "Add a cart")
    ]


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


BY_INDEX = {
    "SELECT key FROM deployments WHERE workspace = 'shop' AND created_at > '2024-05-01'": (
        "ix_entities_deployments"
    ),
    "SELECT key FROM deployments ORDER BY created_at DESC LIMIT 20": "ix_entities_deployments",
    "SELECT key FROM errors ORDER BY first_seen_at DESC LIMIT 20": "ix_entities_errors",
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


@pytest.mark.parametrize(
    "question",
    [
        "SELECT live_from FROM deployments WHERE workspace_id = 1 AND key = 'x'",
        "SELECT live_from FROM deployment_periods WHERE workspace_id = 1 AND deployment = 'x'",
    ],
)
def test_when_a_deployment_served_is_found_by_its_key(database: Database, question: str) -> None:
    """Not asked of empty tables, where the index of times costs the same."""
    with database.connect() as conn:
        linked(conn, "shop", *SHOP)
        conn.execute(
            """
            INSERT INTO lightfast.temporal_states
              (workspace_id, entity_type, entity_id, state_type, state_value, valid_from, valid_to,
               is_current, recorded_at)
            SELECT 1, 'project', 'vercel:project:prj_1', 'live_deployment:production', 'dpl_' || n,
                   at, at + interval '1 hour', false, at
            FROM generate_series(1, 2000) n, LATERAL (SELECT now() + n * interval '1 hour' AS at) t
            """
        )
        conn.commit()
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("ANALYZE lightfast.temporal_states")
    with database.connect("analyst", autocommit=True) as conn:
        plan = rows(conn, f"EXPLAIN (FORMAT json) {question}")[0][0]
    assert "'Index Name': 'ix_temporal_states_live'" in str(plan)


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


def test_the_analysts_role_reads_every_view_and_calls_similar(database: Database) -> None:
    with database.connect() as conn:
        captured(conn, [*merged(), of_vercel("created", "dpl_1", 0)])
    with database.connect("analyst", autocommit=True) as conn:
        for view in VIEWS:
            conn.execute(f"SELECT * FROM {view}").fetchall()
        nothing = conn.execute("SELECT * FROM similar('shop', 'github:pr:1#1', 'issue', 3)")
        assert nothing.fetchall() == []
