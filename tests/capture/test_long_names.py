"""Names as long as a provider lets them be are captured: no row is too wide for an index."""

from __future__ import annotations

import random
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from lightfast_pipelines.domain import keys
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.why import explain
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.providers.github import more_payloads as more_github
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

_chance = random.Random(3)
# What one index row holds at most, of Postgres's own 2,704 bytes less its header and numbers.
WIDEST = 2_650
EVENTS = [
    *("push", "create", "release", "pull_request", "issues", "deployment"),
    *("deployment_status", "Issue", "issue", "error", "event_alert", "deployment.succeeded"),
]


def long(end: str = "") -> str:
    """480 characters that do not compress, three bytes each."""
    return "".join(chr(_chance.randint(0x4E00, 0x9FFF)) for _ in range(480 - len(end))) + end


def sent(provider: str, event: str, payload: dict[str, Any]) -> Delivery:
    body = github.encoded(payload)
    return Delivery(
        provider=provider,
        delivery_id=f"{hash(body)}-{long()[:300]}",
        event_type=event,
        body=body,
        headers={},
        received_at=NOW,
        partition_date=NOW.date(),
        ingestion_source="webhook",
        verified_by="env:SECRET",
    )


def github_deliveries() -> list[Delivery]:
    branch, tag = long(), long()
    commit = github.commit(
        f"Add it\n\nCo-authored-by: {long()} <{long()[:200]}@acme.test>",
        author=long(),
        email=f"{long('@acme.test')}",
        added=(long("/a.py"), long("/a.py")),
    )
    login = github.user(long(), 77)
    return [
        sent("github", "push", github.push([commit], f"refs/heads/{branch}", sender=login)),
        sent("github", "push", github.push([commit], f"refs/tags/{tag}", sender=login)),
        sent("github", "release", github.release(tag=tag, target=branch, name=long())),
        sent(
            "github",
            "pull_request",
            github.pull_request(
                head=branch, labels=(long(),), reviewers=(long(),), author=long(), title=long()
            ),
        ),
        sent("github", "deployment", more_github.deployment(branch, long())),
        sent("github", "deployment_status", more_github.deployment_status(environment=long())),
        sent("github", "issues", github.issue(labels=(long(),), author=long(), title=long())),
    ]


def other_deliveries() -> list[Delivery]:
    label = {"id": "l-1", "name": long(), "color": "#000"}
    return [
        sent(
            "linear",
            "Issue",
            linear.issue(branchName=long(), labels=[label], labelIds=["l-1"], title=long()),
        ),
        sent("sentry", "issue", sentry.issue(shortId=long(), metadata={"type": long()})),
        sent("sentry", "error", sentry.error(release=long(), environment=long(), title=long())),
        sent("sentry", "error", sentry.error("e2", release=long(), environment=long())),
        sent("sentry", "event_alert", sentry.event_alert("e3", long(), release=long())),
        sent(
            "vercel",
            "deployment.succeeded",
            vercel.deployment("succeeded", target=long(), git=vercel.meta(githubCommitRef=long())),
        ),
    ]


@pytest.fixture
def linked(conn: Connection) -> Connection:
    workspace = add_workspace(conn, "shop")
    for provider, resource in (
        ("github", "1"),
        ("sentry", "42"),
        ("linear", linear.TEAM["id"]),
        ("vercel", "prj_1"),
    ):
        link_resource(conn, workspace, provider, resource)
    conn.execute(
        "UPDATE lightfast.integrations SET sync_config = %s",
        (Jsonb({"branches": ["*"], "events": EVENTS}),),
    )
    conn.commit()
    return conn


def test_the_longest_names_are_captured_and_fit_into_every_index(linked: Connection) -> None:
    receive(linked, [*github_deliveries(), *other_deliveries()])
    capture_all(linked)
    refused = rows(
        linked,
        """
        SELECT p.event_type, o.status, o.reason
        FROM lightfast.outcomes o JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
        WHERE status <> 'delivered'
        """,
    )
    assert refused == []
    indexes = rows(
        linked,
        """
        SELECT t.relname, i.relname, array_agg(a.attname)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_class t ON t.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'lightfast'
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(x.indkey)
          AND a.atttypid IN ('text'::regtype, 'bytea'::regtype)
        GROUP BY 1, 2
        """,
    )
    assert len(indexes) > 40
    for table, index, columns in indexes:
        widths = " + ".join(f'coalesce(octet_length("{column}"), 0)' for column in columns)
        widest = one(linked, f"SELECT coalesce(max({widths}), 0) FROM lightfast.{table}")
        assert widest <= WIDEST, (table, index, widest)


def test_names_that_begin_alike_are_different_entities_and_found_by_their_whole_name(
    linked: Connection,
) -> None:
    name = long()
    receive(
        linked,
        [
            sent(
                "github", "push", github.push(None, f"refs/heads/{name}{end}", before=github.NOBODY)
            )
            for end in ("", "x", "y")
        ],
    )
    capture_all(linked)
    branches = "SELECT count(*) FROM lightfast.entities WHERE category = 'branch'"
    assert one(linked, branches) == 3
    found = explain(linked, f"github:branch:1:{name}", None)
    assert found == explain(linked, keys.github_branch(1, name), None) != {}
