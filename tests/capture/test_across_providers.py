"""From alert to cause and from fix to resolution: what each provider tells alone, in any order."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from tests.capture.deliveries import capture_all, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

CAUSE, FIX = github.sha("cause"), github.sha("fix")
RELEASED: dict[str, Any] = {"firstRelease": {"version": CAUSE}}

ISSUE = "linear:issue:issue-12"
TROUBLE = "sentry:issue:42:4711"
RELEASE = f"sentry:release:acme:{CAUSE}"
ALERT = "sentry:alert:issues:42:Checkout errors"
EXPECTED = {
    ("references", ALERT, TROUBLE),
    ("caused_by", TROUBLE, RELEASE),
    ("contains", RELEASE, f"github:commit:{CAUSE}"),
    ("deploys", "vercel:deployment:dpl_1", f"github:commit:{CAUSE}"),
    ("deploys", "vercel:deployment:dpl_2", f"github:commit:{FIX}"),
    ("merges_as", "github:pr:1#1", f"github:commit:{CAUSE}"),
    ("merges_as", "github:pr:1#2", f"github:commit:{FIX}"),
    ("tracked_in", ISSUE, "github:pr:1#1"),
    ("tracked_in", ISSUE, "github:pr:1#2"),
    ("fixes", "github:pr:1#2", ISSUE),
    ("resolves", "github:pr:1#2", TROUBLE),
    ("resolves", f"github:commit:{FIX}", TROUBLE),
    ("references", ISSUE, TROUBLE),
}


def story() -> list[Delivery]:
    """Each thing also is named by another provider before or after it is told of."""
    cause = github.pull_request("closed", 1, merged=True, merge_sha=CAUSE, head="ada/eng-12-a-cart")
    fix = github.pull_request(
        "closed",
        2,
        merged=True,
        merge_sha=FIX,
        body="Fixes ENG-12 and resolves SHOP-1A.",
    )
    address = "https://github.com/acme/shop/pull/2"
    resolved = {
        "inCommit": {
            "id": FIX,
            "repository": {"name": "acme/shop"},
            "pullRequest": {"externalUrl": address},
        }
    }
    trouble = "https://acme.sentry.io/issues/4711/"
    found = linear.attachment(
        id="attachment-2", address=trouble, sourceType="sentry", metadata={"shortId": "SHOP-1A"}
    )
    return [
        provider_delivery("linear", "Issue", linear.issue()),
        provider_delivery("github", "pull_request", cause),
        provider_delivery(
            "vercel", "deployment.succeeded", vercel.deployment("succeeded", git=_at(CAUSE))
        ),
        provider_delivery("sentry", "issue", sentry.issue("created", **RELEASED)),
        provider_delivery("sentry", "error", sentry.error(release=CAUSE)),
        provider_delivery("sentry", "event_alert", sentry.event_alert(release=CAUSE)),
        provider_delivery("linear", "Attachment", found),
        provider_delivery("linear", "Attachment", linear.attachment(address=address)),
        provider_delivery("github", "pull_request", fix),
        provider_delivery(
            "vercel", "deployment.succeeded", vercel.deployment("succeeded", "dpl_2", git=_at(FIX))
        ),
        provider_delivery(
            "sentry", "issue", sentry.issue("resolved", statusDetails=resolved, **RELEASED)
        ),
    ]


def _at(sha: str) -> linear.Json:
    return vercel.meta(sha)


def orders() -> list[tuple[int, ...]]:
    """As it happened, backwards, and some in no order."""
    count = len(story())
    found = [tuple(range(count)), tuple(reversed(range(count)))]
    for seed in range(6):
        order = list(range(count))
        Random(seed).shuffle(order)
        found.append(tuple(order))
    return found


@pytest.mark.parametrize("order", orders())
def test_whichever_comes_first_each_edge_is_there_once_and_in_its_direction(
    conn: Connection, order: tuple[int, ...]
) -> None:
    linked(
        conn, "shop", ("github", "1"), ("vercel", "prj_1"), ("linear", "team-1"), ("sentry", "42")
    )
    deliveries = story()
    for number in order:
        receive(conn, [deliveries[number]])
        capture_all(conn)
    fates = rows(conn, "SELECT DISTINCT status FROM lightfast.outcomes")
    assert fates == [("delivered",)]
    found = rows(
        conn,
        """
        SELECT r.type, s.key, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        WHERE r.type NOT IN ('belongs_to', 'on_branch')
          AND NOT (r.type = 'contains' AND s.category = 'pull_request')
        """,
    )
    assert sorted(found) == sorted(EXPECTED)
    assert rows(conn, "SELECT key FROM lightfast.entities WHERE is_stub") == []
