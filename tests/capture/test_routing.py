"""Where a delivery goes: by the narrowest thing that is linked, through what it is about, and never
beyond what its secret speaks for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.installations import add_installation
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from tests.capture.deliveries import capture_all, receive, rows
from tests.capture.provider_deliveries import linked, provider_delivery
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

Json = dict[str, Any]


def _vercel(payload: Json) -> Delivery:
    return provider_delivery("vercel", payload["type"], payload)


def _linear(event: str, payload: Json) -> Delivery:
    return provider_delivery("linear", event, payload)


# What is routed by something of its own, last what goes through it.
CHAINS: dict[str, tuple[tuple[str, str], list[Delivery]]] = {
    "reaction, comment, issue, team": (
        ("linear", "team-1"),
        [
            _linear("Issue", linear.issue(generation=2021)),
            _linear("Comment", linear.comment(generation=2021)),
            _linear("Reaction", linear.reaction(generation=2021)),
        ],
    ),
    "update, project": (
        ("linear", "project-1"),
        [
            _linear("Project", linear.project()),
            _linear("ProjectUpdate", linear.project_update()),
        ],
    ),
    "comment, issue, project": (
        ("linear", "project-1"),
        [
            _linear("Issue", linear.issue(project="project-1")),
            _linear("Comment", linear.comment()),
        ],
    ),
    "check, deployment": (
        ("vercel", "prj_1"),
        [
            _vercel(vercel.deployment()),
            _vercel(vercel.deployment("check-rerequested", project=None, team=None)),
        ],
    ),
    "Sentry's comment, issue": (
        ("sentry", "42"),
        [
            provider_delivery("sentry", "issue", sentry.issue()),
            provider_delivery("sentry", "comment", sentry.comment()),
        ],
    ),
}


def _outcomes(conn: Connection) -> list[str]:
    return [row[0] for row in rows(conn, "SELECT status FROM lightfast.outcomes ORDER BY 1")]


def _drain(conn: Connection) -> None:
    while capture_all(conn, batch_rows=2).more:
        pass


@pytest.mark.parametrize("chain", CHAINS)
def test_a_payload_routed_through_an_entity_arrives_in_any_order_of_arrival_and_linking(
    new_database: Callable[[], Database], chain: str
) -> None:
    resource, deliveries = CHAINS[chain]
    digests = []
    for order in permutations([None, *deliveries]):
        with new_database().connect() as conn:
            for step in order:
                if step is None:
                    linked(conn, "shop", resource)
                else:
                    receive(conn, [step])
                _drain(conn)
            assert _outcomes(conn) == ["delivered"] * len(deliveries), order
            digests.append(digest_lines(conn))
    assert all(digest == digests[0] for digest in digests)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_payload_routed_through_an_unlinked_entity_waits(conn: Connection, chain: str) -> None:
    receive(conn, CHAINS[chain][1])
    _drain(conn)
    assert set(_outcomes(conn)) == {"parked"}
    reasons = rows(conn, "SELECT reason, resource_key FROM lightfast.outcomes")
    assert all(reason and key for reason, key in reasons)


# The resources that reach a payload, the narrowest first.
REACHED: dict[str, tuple[str, Delivery, list[str]]] = {
    "github": ("github", provider_delivery("github", "issues", github.issue()), ["1"]),
    "vercel": ("vercel", _vercel(vercel.deployment()), ["prj_1", "team_1"]),
    "linear": (
        "linear",
        _linear("Issue", linear.issue(project="project-1")),
        ["team-1", "project-1", "org-1"],
    ),
    "sentry": (
        "sentry",
        provider_delivery("sentry", "issue", sentry.issue()),
        ["42", "acme/shop", sentry.UUID, "acme"],
    ),
}


@pytest.mark.parametrize("case", REACHED)
def test_a_payload_of_several_resources_reaches_each_workspace_once(
    conn: Connection, case: str
) -> None:
    provider, delivery, resources = REACHED[case]
    for resource in resources:
        linked(conn, f"only-{resource.replace('/', '-')}", (provider, resource))
    linked(conn, "all", *((provider, resource) for resource in reversed(resources)))
    linked(conn, "other", (provider, "another"))
    receive(conn, [delivery])
    assert capture_all(conn).outcomes == {"delivered": len(resources) + 1}
    by = dict(
        rows(
            conn,
            """
            SELECT w.slug, o.resource_key FROM lightfast.outcomes o
            JOIN lightfast.workspaces w ON w.id = o.workspace_id
            """,
        )
    )
    assert by["all"].split(":", 2)[2] == resources[0]
    assert "other" not in by


def test_an_installations_secret_reaches_no_further_through_an_entity(
    conn: Connection,
) -> None:
    """A comment names only an issue: whoever knows its id could send one into any workspace."""
    owner, _ = add_installation(conn, "linear", "org-1", org_id="acme")
    stranger, _ = add_installation(conn, "linear", "org-2", org_id="rival")
    link_resource(
        conn, add_workspace(conn, "shop", "acme"), "linear", "team-1", installation_id=owner.id
    )
    link_resource(
        conn, add_workspace(conn, "spy", "rival"), "linear", "team-2", installation_id=stranger.id
    )
    conn.commit()
    issue, comment = linear.issue(generation=2021), linear.comment(generation=2021)
    receive(
        conn, [provider_delivery("linear", "Issue", issue, verified_by=f"installation:{owner.id}")]
    )
    assert capture_all(conn).outcomes == {"delivered": 1}
    for each in (issue, comment):
        event = each["type"]
        by_stranger = f"installation:{stranger.id}"
        receive(
            conn,
            [provider_delivery("linear", event, each, delivery_id=event, verified_by=by_stranger)],
        )
        assert capture_all(conn).outcomes == {"parked": 1}
    receive(
        conn,
        [provider_delivery("linear", "Comment", comment, verified_by=f"installation:{owner.id}")],
    )
    _drain(conn)
    assert _outcomes(conn) == ["delivered", "delivered", "parked", "parked"]
    routed_rows = rows(
        conn,
        """
        SELECT w.slug, count(*) FROM lightfast.observations o
        JOIN lightfast.workspaces w ON w.id = o.workspace_id GROUP BY 1
        """,
    )
    assert routed_rows == [("shop", 2)]


@pytest.mark.parametrize(
    "verified_by", ["", "manual", "installation:", "installation:x", "other:1"]
)
def test_a_payload_that_no_known_secret_verified_reaches_nothing(
    conn: Connection, verified_by: str
) -> None:
    linked(conn, "shop", ("github", "1"))
    receive(
        conn,
        [provider_delivery("github", "issues", github.issue(), verified_by=verified_by or "none")],
    )
    assert capture_all(conn).outcomes == {"parked": 1}
