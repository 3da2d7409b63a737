"""One organisation attacks another that shares the pipeline: with its own secret, with files and with
what its credentials read. Whatever it sends, and whenever, the other's rows are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.store import outages, sweeps
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.installations import (
    add_installation,
    remove_secrets,
    set_secret,
)
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from tests.capture.deliveries import capture_all, one, receive, rows
from tests.capture.hostile_tenants import (
    FORGERS,
    KEYS,
    LIES,
    OWNER_RENAMED,
    TRUTH,
    Said,
    Secrets,
    Tenants,
    drain,
    observations_of_rival,
    rows_after,
    says_installation,
    says_repository,
    says_vercel,
)
from tests.capture.provider_deliveries import provider_delivery
from tests.depth import examples
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.vercel import payloads as vercel


@pytest.fixture
def alone(new_database: Callable[[], Database]) -> Callable[[Secrets], dict[str, list[str]]]:
    """What is acme's where rival says nothing."""

    @cache
    def played(secrets: Secrets) -> dict[str, list[str]]:
        steps: list[tuple[Said, str | None]] = [(said, None) for said in TRUTH]
        found, _ = rows_after(new_database(), secrets, steps, 100)
        assert len(found["observation_facts"]) >= 7
        assert any("acme/shop" in row for row in found["resources"])
        return found

    return played


@pytest.mark.parametrize("secrets", FORGERS, ids=lambda found: "-".join(map(str, found)))
@pytest.mark.parametrize("first", [True, False], ids=["lies first", "truth first"])
def test_acmes_rows_are_the_same_whatever_rival_sends(
    new_database: Callable[[], Database],
    alone: Callable[[Secrets], dict[str, list[str]]],
    secrets: Secrets,
    first: bool,
) -> None:
    for forger in FORGERS[secrets]:
        lies: list[tuple[Said, str | None]] = [(said, forger) for said in LIES]
        truth: list[tuple[Said, str | None]] = [(said, None) for said in TRUTH]
        steps = [*lies, *truth] if first else [*truth, *lies]
        mine, leaked = rows_after(new_database(), secrets, steps, 100)
        assert mine == alone(secrets), forger
        assert leaked == [], forger


@given(data=st.data())
@examples(4, suppress=[HealthCheck.function_scoped_fixture])
def test_acmes_rows_are_the_same_in_any_order_and_any_batches(
    new_database: Callable[[], Database],
    alone: Callable[[Secrets], dict[str, list[str]]],
    data: st.DataObject,
) -> None:
    secrets = data.draw(st.sampled_from(sorted(FORGERS)))
    lies: list[tuple[Said, str | None]] = data.draw(
        st.lists(st.tuples(st.sampled_from(LIES), st.sampled_from(FORGERS[secrets])), max_size=12)
    )
    truth: list[tuple[Said, str | None]] = [(said, None) for said in TRUTH]
    steps = data.draw(st.permutations([*truth, *lies]))
    mine, leaked = rows_after(new_database(), secrets, steps, data.draw(st.integers(1, 9)))
    assert mine == alone(secrets)
    assert leaked == []


@pytest.fixture
def tenants(conn: Connection) -> Tenants:
    return Tenants(conn, (True, True))


def _statuses(conn: Connection) -> list[tuple[str, str]]:
    return rows(
        conn,
        """
        SELECT p.verified_by, o.status FROM lightfast.outcomes o
        JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id ORDER BY p.id
        """,
    )


def test_the_shared_secret_counts_until_an_installation_has_its_own(
    conn: Connection,
) -> None:
    workspace = add_workspace(conn, "shop", "acme")
    installation, _ = add_installation(conn, "github", "7", org_id="acme")
    link_resource(conn, workspace, "github", "1", installation_id=installation.id)
    conn.commit()
    before, after = (
        provider_delivery("github", "issues", github.issue(number=number, title=f"Issue {number}"))
        for number in (1, 2)
    )
    receive(conn, [before])
    capture_all(conn)
    for secret in ("first", "second", "third"):
        set_secret(conn, KEYS, installation, secret.encode())
    conn.commit()
    receive(conn, [after])
    drain(conn)
    rebuild(conn)
    conn.commit()
    drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered", "parked"]
    # Without a secret of its own the environment's speaks for it again.
    remove_secrets(conn, installation, keep=0)
    rebuild(conn)
    conn.commit()
    drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered", "delivered"]


@pytest.mark.parametrize("own_secrets", [True, False])
def test_a_delivery_that_arrived_in_several_ways_is_one_observation(
    new_database: Callable[[], Database], own_secrets: bool
) -> None:
    """By the secret, in a file and from the API, for the same workspace, in any order."""
    digests = set()
    for backwards in (False, True):
        with new_database().connect() as conn:
            tenants = Tenants(conn, (own_secrets, True))
            live = tenants.says(TRUTH[0])
            copies = [
                live,
                replace(live, ingestion_source="manual", verified_by="manual", org_id="acme"),
                replace(live, ingestion_source="api", verified_by="credential:1", org_id="acme"),
            ]
            for copy in reversed(copies) if backwards else copies:
                receive(conn, [copy])
                drain(conn)
            # The same body again is filtered as such, whichever of its copies came first.
            assert {status for _, status in _statuses(conn)} <= {"delivered", "filtered"}
            digests.add(
                (one(conn, "SELECT count(*) FROM lightfast.observations"), *digest_lines(conn))
            )
    assert len(digests) == 1
    assert next(iter(digests))[0] == 1


def test_the_environments_secret_hands_no_resource_to_an_installation_that_has_its_own(
    conn: Connection, tenants: Tenants
) -> None:
    other, _ = add_installation(conn, "github", "9", org_id="acme")
    workspace = add_workspace(conn, "shop", "acme")
    link_resource(conn, workspace, "github", "5", installation_id=other.id)
    repositories = [{"id": 5, "name": "web", "full_name": "acme/web"}]
    taken = {
        "action": "removed",
        "installation": {"id": 9},
        "repositories_removed": repositories,
        "sender": github.user(),
    }
    for number in (7, 8):
        added = {
            "action": "added",
            "installation": {"id": number},
            "repositories_added": repositories,
            "sender": github.user(),
        }
        receive(conn, [provider_delivery("github", "installation_repositories", added)])
    receive(conn, [provider_delivery("github", "installation_repositories", taken)])
    drain(conn)
    through = """
        SELECT n.external_id FROM lightfast.resources r
        JOIN lightfast.installations n ON n.id = r.installation_id WHERE r.provider_resource_id = '5'
    """
    assert one(conn, through) == "9"


def test_a_comment_waits_for_what_its_provider_says_where_several_share_a_secret(
    conn: Connection,
) -> None:
    """A file of rival's claims the issue first: the comment is neither rival's nor lost."""
    tenants = Tenants(conn, (False, False))
    claimed = linear.issue(teamId="team-2", team={"id": "team-2", "key": "RIV"})
    receive(conn, [tenants.lies(("linear", "Issue", claimed), "manual")])
    receive(conn, [tenants.says(("linear", "Comment", linear.comment()))])
    drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered", "parked"]
    receive(conn, [tenants.says(("linear", "Issue", linear.issue()))])
    drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered"] * 3
    assert observations_of_rival(conn, tenants) == []


def test_a_payload_verified_by_an_unknown_secret_names_no_place(conn: Connection) -> None:
    tenants = Tenants(conn, (False, False))
    squatted = ("github", "issues", github.issue(number=6, repo="acme/shop", repo_id=666))
    for verified_by in ("installation:999", "installation:x", "other:1", "credential:1"):
        receive(conn, [replace(tenants.says(squatted), verified_by=verified_by)])
    drain(conn)
    assert one(conn, "SELECT count(*) FROM lightfast.place_names") == 0


def test_another_ones_delivery_of_the_same_id_is_no_recovery_of_a_lost_one(
    conn: Connection, tenants: Tenants
) -> None:
    acme = tenants.acme["github"]
    lost = tenants.says(TRUTH[0])
    meant = [outages.ExpectedDelivery(lost.delivery_id, lost.event_type, acme.id, "acme")]
    forgers = ["installation", "credential", *(["environment"] if tenants.own_secrets else [])]
    receive(conn, [tenants.lies(TRUTH[0], forger) for forger in forgers])
    receive(conn, [replace(lost, event_type="push")])
    assert outages.stored(conn, "github", meant) == []
    receive(conn, [replace(lost, ingestion_source="api", verified_by="x", org_id="acme")])
    receive(conn, [lost])
    stored = outages.stored(conn, "github", meant)
    assert [row.ingestion_source for row in stored] == ["api", "webhook"]


def test_payloads_from_before_an_installation_had_its_own_secret_are_not_lost(
    conn: Connection,
) -> None:
    tenants = Tenants(conn, (False, False))
    acme = tenants.acme["github"]
    before = tenants.says(TRUTH[0])
    meant = [outages.ExpectedDelivery(before.delivery_id, before.event_type, acme.id, "acme")]
    receive(conn, [before])
    set_secret(conn, KEYS, acme, b"acme's own")
    conn.commit()
    assert [row.delivery_id for row in outages.stored(conn, "github", meant)] == [
        before.delivery_id
    ]


def test_a_record_that_waits_for_one_organisation_keeps_no_others_from_being_stored(
    conn: Connection, tenants: Tenants
) -> None:
    record = tenants.lies(TRUTH[0], "credential")
    receive(conn, [record])
    assert sweeps.waiting(conn, "acme", "github", [record.delivery_id]) == set()
    assert sweeps.waiting(conn, "rival", "github", [record.delivery_id]) == {record.delivery_id}


_MOVED = [{"id": 1, "name": "shop", "full_name": "rival/shop"}]
_OF_RIVALS_INSTALLATION: list[Said] = [
    (
        "github",
        "issues",
        {**github.issue(number=5, title="Rival's own"), "installation": {"id": 8}},
    ),
    says_repository("archived", "rival/shop", installation={"id": 8}),
    says_repository("transferred", "rival/shop", changes=OWNER_RENAMED, installation={"id": 8}),
    says_installation("installation_repositories", "added", repositories_added=_MOVED),
    says_installation("installation_repositories", "removed", repositories_removed=_MOVED),
    says_installation("installation", "deleted", repositories=_MOVED),
    (
        "linear",
        "PermissionChange",
        {
            "type": "PermissionChange",
            "action": "teamAccessChanged",
            "organizationId": "org-2",
            "createdAt": "2030-01-01T00:00:00.000Z",
            "removedTeamIds": ["team-1"],
        },
    ),
    says_vercel(vercel.project("removed")),
]


def test_another_organisations_installation_states_nothing_about_a_linked_resource(
    conn: Connection,
) -> None:
    """One app, one secret: a repository that moved to rival's account is rival's, though its id is
    linked at acme still."""
    tenants = Tenants(conn, (False, False))
    read = """
        SELECT r.provider, r.status, r.status_reason, r.resource_name FROM lightfast.resources r
        WHERE r.org_id = 'acme' ORDER BY r.provider
    """
    before = rows(conn, read)
    for provider, event, payload in _OF_RIVALS_INSTALLATION:
        moved = {**payload, "installation": {**payload.get("installation", {}), "id": 8}}
        if provider == "vercel":
            moved = {
                **payload,
                "payload": {**payload["payload"], "configuration": {"id": "icfg_2"}},
            }
        receive(conn, [tenants.says((provider, event, moved))])
        drain(conn)
        assert rows(conn, read) == before, (provider, event)
    assert {status for _, status in _statuses(conn)} == {"parked", "filtered"}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0
    assert one(conn, "SELECT count(*) FROM lightfast.place_names WHERE org_id <> 'rival'") == 0
