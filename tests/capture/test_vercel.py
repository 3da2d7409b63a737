"""Vercel's deliveries through capture: where they go, and how they meet what GitHub says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations
from random import Random
from typing import Any

import pytest

from lightfast_pipelines.inbox.files import ingest
from lightfast_pipelines.inbox.jsonlines import read_lines
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.vercel import payloads
from tests.providers.vercel.payloads import AT, MINUTE

MERGE = github.sha("merge")
DEPLOYED = payloads.deployment("succeeded", git=payloads.meta(MERGE))
MERGED = github.pull_request("closed", merged=True, merge_sha=MERGE, body="Fixes #5")


def of_vercel(payload: dict[str, Any]) -> Delivery:
    body = payloads.encoded(payload)
    return Delivery(
        provider="vercel",
        delivery_id=payload["id"],
        event_type=payload["type"],
        body=body,
        headers={},
        received_at=NOW,
        partition_date=NOW.date(),
        ingestion_source="webhook",
        verified_by="env:VERCEL_CLIENT_INTEGRATION_SECRET",
        org_id=None,
    )


def linked(conn: Connection, *resources: tuple[str, str]) -> None:
    workspace = add_workspace(conn, "shop", "default")
    for provider, resource in resources:
        link_resource(conn, workspace, provider, resource)
    conn.commit()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_from_a_deployment_to_the_issue_that_it_fixed_whichever_comes_first(
    conn: Connection, order: tuple[int, ...]
) -> None:
    linked(conn, ("github", "1"), ("vercel", "prj_1"))
    deliveries = [
        of_vercel(DEPLOYED),
        delivery("pull_request", MERGED),
        delivery("issues", github.issue("opened")),
    ]
    for number in order:
        receive(conn, [deliveries[number]])
        capture_all(conn)
    chain = rows(
        conn,
        """
        SELECT r.type, s.key, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        WHERE r.type IN ('deploys', 'merges_as', 'fixes') ORDER BY 1
        """,
    )
    assert chain == [
        ("deploys", "vercel:deployment:dpl_1", f"github:commit:{MERGE}"),
        ("fixes", "github:pr:1#1", "github:issue:1#5"),
        ("merges_as", "github:pr:1#1", f"github:commit:{MERGE}"),
    ]


def test_a_linked_team_reaches_all_its_projects(conn: Connection) -> None:
    linked(conn, ("vercel", "team_1"))
    receive(conn, [of_vercel(payloads.deployment(project="prj_9"))])
    assert capture_all(conn).outcomes == {"delivered": 1}


def test_a_check_without_a_project_waits_for_its_deployment(conn: Connection) -> None:
    linked(conn, ("vercel", "prj_1"))
    check = payloads.deployment("check-rerequested", project=None, at=AT + MINUTE)
    receive(conn, [of_vercel(check)])
    assert capture_all(conn).outcomes == {"parked": 1}
    receive(conn, [of_vercel(payloads.deployment())])
    capture_all(conn)
    assert rows(conn, "SELECT DISTINCT status FROM lightfast.outcomes") == [("delivered",)]


def test_the_live_deployment_is_known_at_every_time(conn: Connection) -> None:
    linked(conn, ("vercel", "prj_1"))
    story = [
        payloads.deployment("succeeded", "dpl_1"),
        payloads.deployment("succeeded", "dpl_2", at=AT + MINUTE),
        payloads.rollback("dpl_2", "dpl_1", AT + 2 * MINUTE),
    ]
    receive(conn, [of_vercel(payload) for payload in reversed(story)])
    assert capture_all(conn).outcomes == {"delivered": 3}
    live = rows(
        conn,
        """
        SELECT state_value FROM lightfast.temporal_states
        WHERE state_type = 'live_deployment:production' AND superseded_at IS NULL
        ORDER BY valid_from
        """,
    )
    assert [value for (value,) in live] == [
        f"vercel:deployment:{identity}" for identity in ("dpl_1", "dpl_2", "dpl_1")
    ]


def _live(conn: Connection) -> list[tuple[Any, ...]]:
    """(deployment, since when, until when) of what served production, as believed now."""
    return rows(
        conn,
        """
        SELECT replace(state_value, 'vercel:deployment:', ''),
               to_char(valid_from AT TIME ZONE 'UTC', 'HH24:MI'),
               to_char(valid_to AT TIME ZONE 'UTC', 'HH24:MI')
        FROM lightfast.temporal_states
        WHERE state_type = 'live_deployment:production' AND superseded_at IS NULL
        ORDER BY valid_from
        """,
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_staged_deployment_serves_nobody_until_it_is_promoted_in_any_order(
    conn: Connection, seed: int
) -> None:
    linked(conn, ("vercel", "prj_1"))
    deployments = [
        payloads.deployment("succeeded", "dpl_1"),
        payloads.deployment("promoted", "dpl_1", at=AT + MINUTE),
        payloads.deployment("succeeded", "dpl_2", at=AT + 10 * MINUTE),
        payloads.deployment("succeeded", "dpl_3", at=AT + 20 * MINUTE),
        payloads.deployment("promoted", "dpl_3", at=AT + 30 * MINUTE),
        payloads.rolling_release("started", "dpl_4", "dpl_3", AT + 40 * MINUTE),
        payloads.deployment("succeeded", "dpl_4", at=AT + 39 * MINUTE),
        payloads.rolling_release("aborted", "dpl_4", "dpl_3", AT + 45 * MINUTE),
        payloads.rolling_release("started", "dpl_5", "dpl_3", AT + 50 * MINUTE),
        payloads.rolling_release("completed", "dpl_5", "dpl_3", AT + 55 * MINUTE),
        payloads.deployment("cleanup", "dpl_5", at=AT + 59 * MINUTE),
    ]
    Random(seed).shuffle(deployments)
    for payload in deployments:
        receive(conn, [of_vercel(payload)])
        capture_all(conn)
    assert _live(conn) == [
        ("dpl_1", "10:01", "10:30"),
        ("dpl_3", "10:30", "10:55"),
        ("dpl_5", "10:55", "10:59"),
        ("none", "10:59", None),
    ]


def test_a_late_promotion_corrects_what_was_believed_and_keeps_the_record(
    conn: Connection,
) -> None:
    linked(conn, ("vercel", "prj_1"))
    receive(conn, [of_vercel(payloads.deployment("succeeded", "dpl_1"))])
    capture_all(conn)
    assert _live(conn) == [("dpl_1", "10:00", None)]
    late = of_vercel(payloads.deployment("promoted", "dpl_1", at=AT + 9 * MINUTE))
    receive(conn, [replace(late, received_at=NOW + timedelta(hours=1))])
    capture_all(conn)
    assert _live(conn) == [("dpl_1", "10:09", None)]
    superseded = "SELECT count(*) FROM lightfast.temporal_states WHERE superseded_at IS NOT NULL"
    assert one(conn, f"{superseded} AND state_type = 'live_deployment:production'") == 1


def test_ingested_lines_link_projects_but_never_a_whole_team(conn: Connection) -> None:
    workspace = add_workspace(conn, "shop", "default")
    conn.commit()
    deliveries = [payloads.deployment(), payloads.deployment("check-rerequested", project=None)]
    lines = b"\n".join(
        payloads.encoded(
            {"event": payload["type"], "delivery_id": payload["id"], "payload": payload}
        )
        for payload in deliveries
    )
    report = ingest(
        conn,
        workspace,
        discover()["vercel"],
        read_lines(io.BytesIO(lines), "lines", max_bytes=1 << 20),
        start=date(2008, 1, 1),
        now=NOW,
        on_problem=lambda line, reason: None,
    )
    assert (report.stored, report.linked) == (2, ["vercel:project:prj_1"])
    assert one(conn, "SELECT count(*) FROM lightfast.resources") == 1
    assert capture_all(conn).outcomes == {"delivered": 2}


def _both() -> list[Delivery]:
    """What several payloads state, what comes before its thing, and what shares a moment."""
    pull = {**github.pull_request("labeled"), "label": more.LABEL}
    head = {**github.pull_request("synchronize"), "after": github.sha(2)}
    github_events = [
        ("issue_comment", more.issue_comment("like acme/shop#1 and #404")),
        ("issue_comment", more.issue_comment("like #1", action="edited")),
        ("pull_request_review", more.review()),
        ("pull_request_review_comment", more.review_comment()),
        ("commit_comment", more.commit_comment(commit_id=MERGE)),
        ("pull_request", pull),
        ("pull_request", head),
        ("pull_request", MERGED),
        ("issues", {**github.issue("assigned"), "assignee": github.user("lin")}),
        ("issues", github.issue("opened")),
        ("deployment", more.deployment()),
        ("deployment_status", more.deployment_status("in_progress", 90)),
        ("deployment_status", more.deployment_status("success", 91)),
        ("workflow_run", more.workflow_run()),
        ("check_suite", more.check_suite()),
    ]
    deployed = [
        payloads.deployment("ready", "dpl_1", at=AT + MINUTE),
        payloads.deployment("succeeded", "dpl_1", at=AT + 2 * MINUTE),
        payloads.deployment("created", "dpl_1", git=payloads.meta(MERGE, githubPrId="1")),
        payloads.deployment("error", "dpl_2", at=AT + MINUTE),
        payloads.deployment("promoted", "dpl_1", at=AT + 3 * MINUTE),
        payloads.deployment("check-rerequested", "dpl_1", project=None, at=AT + 4 * MINUTE),
        payloads.rollback("dpl_1", "dpl_2", AT + 5 * MINUTE),
        payloads.project(),
    ]
    deliveries = [
        delivery(event, payload, f"g-{n}") for n, (event, payload) in enumerate(github_events)
    ]
    return [*deliveries, *(of_vercel(payload) for payload in deployed)]


def test_any_order_of_both_providers_ends_in_the_same_rows(
    new_database: Callable[[], Database],
) -> None:
    digests = []
    for seed in range(4):
        deliveries = _both()
        if seed:
            Random(seed).shuffle(deliveries)
        with new_database().connect() as conn:
            linked(conn, ("github", "1"), ("vercel", "prj_1"))
            for start in range(0, len(deliveries), 5 * seed or len(deliveries)):
                receive(conn, deliveries[start : start + (5 * seed or len(deliveries))])
                capture_all(conn, batch_rows=100 if not seed else 2 * seed)
            assert one(conn, "SELECT count(*) FROM lightfast.outcomes WHERE status = 'dlq'") == 0
            assert rows(conn, "SELECT reason FROM lightfast.outcomes WHERE status = 'parked'") == []
            digests.append(digest_lines(conn))
    assert all(digest == digests[0] for digest in digests)
