"""A name is a reference once some thing claims it, in whichever order they come, and only then."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Filtered, Reading
from lightfast_pipelines.inbox.requeue import requeue_days
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.webhook_contract import Provider
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.deliveries import Delivery
from tests.capture.deliveries import NOW, capture_all, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import more_payloads as more
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.vercel import payloads as vercel


def issue(
    number: int,
    identifier: str,
    branch: str = "x/none",
    *,
    organization: str = "acme",
    team_id: str = "team-1",
) -> Delivery:
    data = linear.issue_data(number, branchName=branch, identifier=identifier)
    data |= {"teamId": team_id, "team": {"id": team_id, "key": identifier.partition("-")[0]}}
    address = f"https://linear.app/{organization}/issue/{identifier}/a-cart"
    data["url"] = address
    return provider_delivery(
        "linear", "Issue", linear.envelope("Issue", "create", data, url=address)
    )


def pull(number: int, **more: Any) -> Delivery:
    return provider_delivery(
        "github", "pull_request", github.pull_request("opened", number, **more)
    )


def edges(conn: Connection) -> list[tuple[str, str, str]]:
    found = rows(
        conn,
        """
        SELECT r.type, s.key, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        WHERE r.type IN ('fixes', 'references', 'tracked_in')
        """,
    )
    return sorted(found)


def orders(count: int) -> list[list[int]]:
    found = [list(range(count)), list(reversed(range(count)))]
    for seed in range(3):
        order = list(range(count))
        Random(seed).shuffle(order)
        found.append(order)
    return found


@pytest.mark.parametrize("order", orders(7))
def test_an_issue_is_found_by_the_names_that_it_announced_in_any_order(
    conn: Connection, order: list[int]
) -> None:
    linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
    deliveries = [
        issue(1, "K8S-12", "mira/k8s-12-2-pods"),
        issue(2, "4U-3", "4-u-greet-by-name"),
        issue(3, "ENG-40", "mira/eng-40-follow-up-to-k8s-12"),
        pull(1, body="Fixes K8S-12, and speaks UTF-8 since 2026-07. See MD-5 and step-1."),
        pull(2, head="4-u-greet-by-name", body=None),
        pull(3, head="mira/eng-40-follow-up-to-k8s-12", body=None),
        pull(4, head="feature/4u-3-again", body="part of 4u-3"),
    ]
    for number in order:
        receive(conn, [deliveries[number]])
        capture_all(conn)
    assert edges(conn) == [
        ("fixes", "github:pr:1#1", "linear:issue:issue-1"),
        ("references", "github:pr:1#4", "linear:issue:issue-2"),
        ("tracked_in", "linear:issue:issue-2", "github:pr:1#2"),
        ("tracked_in", "linear:issue:issue-2", "github:pr:1#4"),
        ("tracked_in", "linear:issue:issue-3", "github:pr:1#3"),
    ]
    assert rows(conn, "SELECT key FROM lightfast.entities WHERE key LIKE 'candidate:%%'") == []
    assert rows(conn, "SELECT key FROM lightfast.entities WHERE is_stub") == []


def test_a_name_that_two_entities_claim_means_none_until_one_gives_it_up(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
    receive(conn, [pull(1, body="Fixes K8S-12"), issue(1, "K8S-12")])
    capture_all(conn)
    fixed = [("fixes", "github:pr:1#1", "linear:issue:issue-1")]
    assert edges(conn) == fixed
    receive(conn, [issue(2, "K8S-12", organization="beta")])
    capture_all(conn)
    assert edges(conn) == []
    provider = discover()["linear"]
    monkeypatch.setattr(type(provider), "read", _without_organisation(provider, "beta"))
    requeue_days(conn, [NOW.date()])
    conn.commit()
    capture_all(conn)
    assert edges(conn) == fixed
    monkeypatch.setattr(type(provider), "read", lambda *_: Filtered("not any more"))
    requeue_days(conn, [NOW.date()])
    conn.commit()
    capture_all(conn)
    assert edges(conn) == []
    assert rows(conn, "SELECT key FROM lightfast.entities WHERE key LIKE 'linear:%%'") == []


def _without_organisation(provider: Provider, slug: str) -> Callable[..., Reading]:
    """The provider's reader, which understands nothing of one organisation."""
    read = provider.read

    def reader(_: Provider, event: str, payload: dict[str, Any]) -> Reading:
        unwanted = f"linear.app/{slug}/" in str(payload.get("url"))
        return Filtered("not any more") if unwanted else read(event, payload)

    return reader


def test_an_address_distinguishes_two_organisations_with_teams_of_one_key(
    conn: Connection,
) -> None:
    linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
    address = "https://linear.app/{}/issue/ENG-7/a-cart"
    receive(
        conn,
        [
            issue(1, "ENG-7", organization="acme"),
            issue(2, "ENG-7", organization="beta"),
            pull(1, body=f"Fixes {address.format('acme')}"),
            pull(2, body=f"Fixes {address.format('beta')}"),
            pull(3, body="Fixes ENG-7"),
            pull(4, body=f"Fixes {address.format('gamma')}"),
            pull(5, head="mira/eng-7-a-cart", body=None),
        ],
    )
    capture_all(conn)
    assert [edge for edge in edges(conn) if "issue:" in edge[1] + edge[2]] == [
        ("fixes", "github:pr:1#1", "linear:issue:issue-1"),
        ("fixes", "github:pr:1#2", "linear:issue:issue-2"),
    ]


def test_two_workspaces_that_follow_two_organisations_each_know_their_own_issue_of_a_name(
    conn: Connection,
) -> None:
    linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
    linked(conn, "till", ("github", "1"), ("linear", "team-2"))
    receive(
        conn,
        [
            issue(1, "4U-7", organization="acme"),
            issue(2, "4U-7", organization="beta", team_id="team-2"),
            pull(1, body="Fixes 4U-7"),
        ],
    )
    capture_all(conn)
    assert edges(conn) == [
        ("fixes", "github:pr:1#1", "linear:issue:issue-1"),
        ("fixes", "github:pr:1#1", "linear:issue:issue-2"),
    ]


@pytest.mark.parametrize("order", orders(4))
def test_a_deployment_is_found_by_the_addresses_that_it_announced(
    conn: Connection, order: list[int]
) -> None:
    linked(conn, "shop", ("github", "1"), ("vercel", "prj_1"))
    page = (
        "[Inspect](https://vercel.com/acme/shop/dpl_1), [Docs](https://vercel.com/acme/shop/dpl_9)"
    )
    preview = "https://shop-1-acme.vercel.app, of the branch: https://shop-git-a-acme.vercel.app"
    shown = more.deployment_status()
    shown["deployment_status"]["environment_url"] = "https://shop-1-acme.vercel.app"
    deliveries = [
        pull(1, body=page),
        pull(2, body=preview),
        provider_delivery("vercel", "deployment.succeeded", vercel.deployment("succeeded", git={})),
        provider_delivery("github", "deployment_status", shown),
    ]
    for number in order:
        receive(conn, [deliveries[number]])
        capture_all(conn)
    assert edges(conn) == [
        ("references", "github:deployment:1:40", "vercel:deployment:dpl_1"),
        ("references", "github:pr:1#1", "vercel:deployment:dpl_1"),
        ("references", "github:pr:1#2", "vercel:deployment:dpl_1"),
    ]
    assert rows(conn, "SELECT key FROM lightfast.entities WHERE is_stub") == []


@pytest.mark.parametrize("order", orders(3))
def test_a_project_is_found_by_the_address_that_it_announced(
    conn: Connection, order: list[int]
) -> None:
    linked(conn, "shop", ("github", "1"), ("linear", "team-1"))
    found = linear.project("create")
    found["url"] = "https://linear.app/acme/project/the-cart-1f2e3d"
    deliveries = [
        pull(1, body="Part of https://linear.app/acme/project/the-cart-1f2e3d/overview"),
        pull(2, body="Part of https://linear.app/beta/project/the-cart-1f2e3d"),
        provider_delivery("linear", "Project", found),
    ]
    for number in order:
        receive(conn, [deliveries[number]])
        capture_all(conn)
    assert edges(conn) == [("references", "github:pr:1#1", "linear:project:project-1")]
