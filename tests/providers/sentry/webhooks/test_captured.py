"""Sentry's deliveries in capture: intervals, storms and links, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lightfast_pipelines.domain import keys
from lightfast_pipelines.providers.sentry import keys as sentry_keys
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import add_workspace, find_workspace, link_resource
from tests.capture.deliveries import capture_all, delivery, receive, rows
from tests.providers.github import payloads as github
from tests.providers.sentry import payloads
from tests.providers.sentry.payloads import NOW, Json

ISSUE = sentry_keys.issue(42, 4711)
SHA = github.sha("fix")


def sent(event: str, payload: Json, at: datetime = NOW, request: str = "") -> Delivery:
    body = payloads.encoded(payload)
    headers = payloads.delivery_headers(event, body, sent=at)
    return Delivery(
        provider="sentry",
        delivery_id=request or f"{event}-{at.timestamp()}-{hash(body)}",
        event_type=event,
        body=body,
        headers=headers,
        received_at=at,
        partition_date=at.date(),
        ingestion_source="webhook",
        verified_by="env:SENTRY_CLIENT_SECRET",
        org_id=None,
    )


@pytest.fixture
def linked(conn: Connection) -> Connection:
    workspace = add_workspace(conn, "shop")
    link_resource(conn, workspace, "sentry", "42")
    link_resource(conn, workspace, "github", "1")
    conn.commit()
    return conn


def captured(conn: Connection, deliveries: Sequence[Delivery], *, one_by_one: bool = False) -> None:
    for group in [[single] for single in deliveries] if one_by_one else [list(deliveries)]:
        receive(conn, group)
        capture_all(conn, batch_rows=20)


def outcomes(conn: Connection) -> list[tuple[Any, ...]]:
    return rows(
        conn,
        """
        SELECT p.event_type, o.status, count(*) FROM lightfast.outcomes o
        JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id GROUP BY 1, 2 ORDER BY 1, 2
        """,
    )


def edges(conn: Connection) -> set[tuple[str, str, str]]:
    stored = rows(
        conn,
        """
        SELECT s.key, r.type, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        """,
    )
    return {(one[0], one[1], one[2]) for one in stored}


def shuffled(deliveries: Iterable[Delivery], seed: int) -> list[Delivery]:
    found = list(deliveries)
    random.Random(seed).shuffle(found)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_resolved_regressed_and_resolved_again_has_three_intervals(
    linked: Connection, seed: int
) -> None:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("created", {}),
        ("resolved", {}),
        ("unresolved", {"substatus": "regressed", "last_seen": "2024-06-02T08:00:00Z"}),
        ("resolved", {"last_seen": "2024-06-02T08:00:00Z"}),
    ]
    told = [
        sent("issue", payloads.issue(action, **more), NOW + timedelta(days=day))
        for day, (action, more) in enumerate(steps)
    ]
    captured(linked, shuffled(told, seed), one_by_one=True)
    stored = rows(
        linked,
        """
        SELECT state_value, valid_from, is_current FROM lightfast.temporal_states
        WHERE entity_id = %s AND state_type = 'status' AND superseded_at IS NULL
        ORDER BY valid_from
        """,
        ISSUE,
    )
    assert [(value, current) for value, _, current in stored] == [
        ("unresolved", False),
        ("resolved", False),
        ("unresolved", False),
        ("resolved", True),
    ]
    assert [at for _, at, _ in stored[1:]] == [NOW + timedelta(days=day) for day in (1, 2, 3)]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_errors_around_a_regression_is_a_handful_in_any_order(
    linked: Connection, seed: int
) -> None:
    storm = [
        sent(
            "error", payloads.error(f"e{number:03}", (NOW + timedelta(minutes=number)).isoformat())
        )
        for number in range(90)
    ]
    regression = payloads.issue(
        "unresolved",
        substatus="regressed",
        last_seen=(NOW + timedelta(minutes=70)).isoformat(),
    )
    told = [*storm, sent("issue", regression, NOW + timedelta(minutes=72))]
    captured(linked, shuffled([*told, *storm[:9]], seed))
    stored = rows(
        linked,
        "SELECT source_id, metadata->>'count' FROM lightfast.observations ORDER BY source_id",
    )
    hour = f"{ISSUE}|error.occurred|shop@1.4.2|production|2024-06-01T"
    assert [one for one in stored if "|error." in one[0]] == [
        (f"{ISSUE}|error.created|e000", None),
        (f"{ISSUE}|error.created|e070", None),
        (f"{hour}12Z", "59"),
        (f"{hour}13Z", "29"),
    ]
    assert len(stored) == 5


@pytest.mark.parametrize("text", ["Fixes SHOP-1A", "fixes https://acme.sentry.io/issues/4711/"])
@pytest.mark.parametrize("issue_first", [True, False])
def test_a_commit_that_names_an_issue_resolves_it_whichever_comes_first(
    linked: Connection, text: str, issue_first: bool
) -> None:
    commit = github.commit(f"Guard the total\n\n{text}", commit_sha=SHA)
    told = [
        sent("issue", payloads.issue()),
        delivery("push", github.push([commit])),
    ]
    captured(linked, told if issue_first else told[::-1], one_by_one=True)
    assert (keys.github_commit(SHA), "resolves", ISSUE) in edges(linked)
    assert not any(edge[2].startswith("sentry:ref:") for edge in edges(linked))


@pytest.mark.parametrize("issue_first", [True, False])
def test_a_short_id_that_looks_like_linears_finds_sentrys_issue(
    linked: Connection, issue_first: bool
) -> None:
    commit = github.commit("Guard the total\n\nFixes SHOP-12", commit_sha=SHA)
    told = [
        sent("issue", payloads.issue(shortId="SHOP-12")),
        delivery("push", github.push([commit])),
    ]
    captured(linked, told if issue_first else told[::-1], one_by_one=True)
    assert (keys.github_commit(SHA), "resolves", ISSUE) in edges(linked)


def test_edges_lead_from_an_alert_to_the_commit_that_caused_it(
    linked: Connection,
) -> None:
    alert = sent("event_alert", payloads.event_alert("e1", release=SHA))
    captured(linked, [alert, sent("error", payloads.error("e1", release=SHA))])
    release = sentry_keys.release("acme", SHA)
    assert {
        (sentry_keys.issue_alert(42, "Checkout errors"), "references", ISSUE),
        (ISSUE, "caused_by", release),
        (release, "contains", keys.github_commit(SHA)),
    } <= edges(linked)


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.parametrize("issue_first", [True, False])
def test_a_comment_waits_for_its_issue_and_goes_where_that_goes(
    linked: Connection, issue_first: bool, one_by_one: bool
) -> None:
    told = [sent("issue", payloads.issue()), sent("comment", payloads.comment())]
    captured(linked, told if issue_first else told[::-1], one_by_one=one_by_one)
    capture_all(linked)
    assert outcomes(linked) == [("comment", "delivered", 1), ("issue", "delivered", 1)]
    assert (sentry_keys.comment(31), "belongs_to", ISSUE) in edges(linked)


def test_a_comment_on_an_issue_that_is_not_linked_stays_parked(linked: Connection) -> None:
    captured(linked, [sent("comment", payloads.comment(issue_id=1))])
    assert outcomes(linked) == [("comment", "parked", 1)]


def states(conn: Connection, kind: str) -> dict[str, str]:
    stored = rows(
        conn,
        """
        SELECT entity_id, state_value FROM lightfast.temporal_states
        WHERE state_type = %s AND is_current
        """,
        kind,
    )
    return {one[0]: one[1] for one in stored}


@pytest.mark.parametrize("seed", range(4))
def test_a_merged_issue_is_closed_and_its_address_leads_to_the_survivor(
    linked: Connection, seed: int
) -> None:
    fix = github.commit("Guard it\n\nFixes https://acme.sentry.io/issues/4700/", commit_sha=SHA)
    told = [
        sent("issue", payloads.issue()),
        sent("issue", payloads.issue(issue_id="4700", shortId="SHOP-19")),
        sent("issue", payloads.merged("4700")),
        sent("comment", payloads.comment(issue_id=4700)),
        delivery("push", github.push([fix])),
    ]
    captured(linked, shuffled(told, seed), one_by_one=seed % 2 == 0)
    capture_all(linked)
    gone = sentry_keys.issue(42, 4700)
    all_edges = edges(linked)
    assert (gone, "duplicates", ISSUE) in all_edges
    assert (keys.github_commit(SHA), "resolves", ISSUE) in all_edges
    assert (sentry_keys.comment(31), "belongs_to", ISSUE) in all_edges
    assert not any("ref" in one[0] + one[2] for one in all_edges)
    assert states(linked, "status") == {gone: "merged", ISSUE: "unresolved"}


@pytest.mark.parametrize("seed", range(3))
def test_a_run_of_seer_goes_where_its_issue_goes_and_its_pull_request_resolves_it(
    linked: Connection, seed: int
) -> None:
    told = [
        sent("issue", payloads.issue()),
        sent("seer", payloads.seer("root_cause_completed")),
        sent("seer", payloads.seer("pr_created")),
        sent("activity_alert", payloads.activity_alert()),
        sent("event_alert", payloads.event_alert()),
        delivery("pull_request", github.pull_request("opened", 2)),
    ]
    captured(linked, shuffled(told, seed), one_by_one=seed % 2 == 0)
    capture_all(linked)
    found, run = edges(linked), sentry_keys.seer_run(12345)
    assert {status for _, status, _ in outcomes(linked)} == {"delivered"}
    assert (keys.github_pull_request(1, 2), "resolves", ISSUE) in found
    assert (run, "belongs_to", ISSUE) in found
    alerts = {one[0] for one in found if one[0].startswith("sentry:alert:")}
    assert alerts == {sentry_keys.issue_alert(42, "Checkout errors")}


def test_a_body_without_any_time_is_dated_by_its_receipt(
    linked: Connection,
) -> None:
    bare = replace(sent("seer", payloads.seer()), headers={})
    captured(linked, [sent("issue", payloads.issue()), bare])
    query = "SELECT occurred_at FROM lightfast.observations WHERE source_type = 'seer.pr-created'"
    assert rows(linked, query) == [(NOW,)]


NAMES = [
    "Fixes [{short}](https://acme.sentry.io/issues/4711/)",
    "Fixes https://acme.sentry.io/issues/4711/?project=42&referrer=issue-stream.",
    "Resolves https://acme.sentry.io/issues/{short}/",
    "Resolves https://sentry.io/organizations/acme/issues/{short}/events/ab12/.",
    "Fixes https://sentry.io/organizations/acme/issues/4711/events/latest/?query=x",
    "fixes {short}",
    "Fixes: <https://acme.sentry.io/issues/4711/>, see https://acme.sentry.io/share/issue/0a1b/",
    'Fixes <a href="https://us.sentry.io/organizations/acme/issues/4711/">{short}</a>',
    "Fixes Sentry issue: {short}",
    "Closes {short}, and more",
    "Closes Sentry issue https://acme.sentry.io/issues/4711/",
]


@pytest.mark.parametrize("short", ["SHOP-1A", "MY-APP-2-1A", "SHOP-AB", "SHOP-12", "PYTHON-Y"])
@pytest.mark.parametrize("issue_first", [True, False])
def test_an_issue_is_resolved_by_whatever_names_it(
    linked: Connection, issue_first: bool, short: str
) -> None:
    told = [
        delivery("pull_request", github.pull_request("opened", n, body=text.format(short=short)))
        for n, text in enumerate(NAMES, 1)
    ]
    issue = sent("issue", payloads.issue(shortId=short))
    captured(linked, [issue, *told] if issue_first else [*told, issue])
    expected = {
        (keys.github_pull_request(1, n), "resolves", ISSUE) for n in range(1, len(NAMES) + 1)
    }
    assert {edge for edge in edges(linked) if edge[1] in ("resolves", "fixes")} == expected


@pytest.mark.parametrize("issue_first", [True, False])
@pytest.mark.parametrize(
    ("short", "branch"), [("SHOP-1A", "ada/shop-1a-guard"), ("MY-APP-2-1A", "my-app-2-1a")]
)
def test_a_branch_is_made_for_the_issue_that_it_names(
    linked: Connection, short: str, branch: str, issue_first: bool
) -> None:
    told = [
        sent("issue", payloads.issue(shortId=short)),
        delivery("pull_request", github.pull_request("opened", 1, head=branch)),
    ]
    captured(linked, told if issue_first else told[::-1], one_by_one=True)
    assert (ISSUE, "tracked_in", keys.github_pull_request(1, 1)) in edges(linked)


@pytest.mark.parametrize("seed", range(3))
def test_a_short_id_that_two_organizations_have_needs_its_address(
    linked: Connection, seed: int
) -> None:
    other = payloads.issue(issue_id="5000", organization="umbrella")
    own = payloads.issue(
        issue_id="4711",
        organization=None,
        web_url="https://sentry.umbrella.dev/organizations/umbrella/issues/4711/",
        project={"id": "43", "name": "Shop", "slug": "shop"},
    )
    bodies = [
        "Fixes SHOP-1A",
        "Fixes https://umbrella.sentry.io/issues/SHOP-1A/",
        "Fixes https://sentry.umbrella.dev/organizations/umbrella/issues/SHOP-1A/",
        "Fixes https://sentry.umbrella.dev/organizations/umbrella/issues/4711/",
        "Fixes https://acme.sentry.io/issues/4711/",
    ]
    told = [sent("issue", payloads.issue()), sent("issue", other), sent("issue", own)]
    told += [
        delivery("pull_request", github.pull_request("opened", n, body=body))
        for n, body in enumerate(bodies, 1)
    ]
    link_resource(linked, find_workspace(linked, "shop"), "sentry", "43@sentry.umbrella.dev")
    linked.commit()
    captured(linked, shuffled(told, seed))
    own_key = sentry_keys.issue("43@sentry.umbrella.dev", 4711)
    other_key = sentry_keys.issue(42, 5000)
    assert {edge for edge in edges(linked) if edge[1] == "resolves"} == {
        (keys.github_pull_request(1, 2), "resolves", other_key),
        (keys.github_pull_request(1, 3), "resolves", own_key),
        (keys.github_pull_request(1, 4), "resolves", own_key),
        (keys.github_pull_request(1, 5), "resolves", ISSUE),
    }


@pytest.mark.parametrize("seed", range(3))
def test_one_number_on_two_servers_is_two_issues(linked: Connection, seed: int) -> None:
    server = "sentry.acme.dev"
    page = f"https://{server}/organizations/acme/issues/4711/"
    own = payloads.issue(organization=None, web_url=page, title="KeyError: sku")
    raised = payloads.event("e2", web_url=f"{page}events/e2/", issue_url=page, url=page)
    told = [
        sent("issue", payloads.issue()),
        sent("issue", own),
        sent("error", payloads.envelope("created", {"error": raised})),
        delivery("pull_request", github.pull_request("opened", 1, body=f"Fixes {page}")),
    ]
    link_resource(linked, find_workspace(linked, "shop"), "sentry", f"42@{server}")
    linked.commit()
    captured(linked, shuffled(told, seed))
    own_key = sentry_keys.issue(f"42@{server}", 4711)
    assert edges(linked) >= {
        (keys.github_pull_request(1, 1), "resolves", own_key),
        (own_key, "belongs_to", sentry_keys.project(f"42@{server}")),
        (own_key, "caused_by", sentry_keys.release(f"{server}/acme", "shop@1.4.2")),
        (ISSUE, "belongs_to", sentry_keys.project(42)),
    }
