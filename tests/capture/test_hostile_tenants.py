"""One organisation attacks another that shares the pipeline: with its own secret, with files and with
what its credentials read. Whatever it sends, and whenever, the other's rows are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from lightfast_pipelines.inbox.requeue import rebuild
from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.store import outages, sweeps
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.digest import digest_lines
from lightfast_pipelines.store.installations import (
    Installation,
    add_installation,
    remove_secrets,
    set_secret,
)
from lightfast_pipelines.store.links import add_workspace, link_resource
from lightfast_pipelines.store.sealed import Keys
from lightfast_pipelines.store.tables import metadata
from tests.capture.deliveries import NOW, capture_all, one, receive, rows
from tests.capture.told import told
from tests.depth import examples
from tests.providers.github import payloads as github
from tests.providers.linear import payloads as linear
from tests.providers.sentry import payloads as sentry
from tests.providers.vercel import payloads as vercel

Json = dict[str, Any]
Said = tuple[str, str, Json]

KEYS = Keys.parse("07" * 32)
# Provider -> the provider's ids of the installation and of the resource, of each organisation.
ACME = {
    "github": ("7", "1"),
    "linear": ("org-1", "team-1"),
    "sentry": (sentry.UUID, "42"),
    "vercel": ("icfg_1", "prj_1"),
}
RIVAL = {
    "github": ("8", "2"),
    "linear": ("org-2", "team-2"),
    "sentry": ("uuid-of-rival", "43"),
    "vercel": ("icfg_2", "prj_2"),
}
_LATE = "2030-01-01T00:00:00Z"


def _vercel(payload: Json) -> Said:
    return ("vercel", payload["type"], payload)


def _repository(action: str, name: str, repo_id: int = 1, **more: Any) -> Said:
    payload = {
        "action": action,
        "repository": github.repository(name, repo_id, updated_at=_LATE),
        "sender": github.user(),
        "installation": {"id": 7},
        **more,
    }
    return ("github", "repository", payload)


def _installation(event: str, action: str, **more: Any) -> Said:
    installed = {"id": 7, "account": {"login": "acme", "id": 70}, "updated_at": _LATE}
    payload = {"action": action, "installation": installed, "sender": github.user(), **more}
    return ("github", event, payload)


_SHOP = [{"id": 1, "name": "stolen", "full_name": "rival/stolen"}]
_RENAMED = {"repository": {"name": {"from": "shop"}}}
_OWNER = {"owner": {"from": {"organization": {"login": "acme", "id": 70}}}}

TRUTH: list[Said] = [
    ("github", "issues", github.issue(body="Like acme/shop#6, and see ENG-12.")),
    (
        "github",
        "pull_request",
        github.pull_request("closed", 6, merged=True, body="Fixes #5 and rival/shop#9."),
    ),
    ("github", "push", github.push([github.commit("Keep the cart (#6)\n\nFixes SHOP-1A")])),
    ("linear", "Issue", linear.issue()),
    ("linear", "Comment", linear.comment()),
    ("linear", "Reaction", linear.reaction()),
    ("sentry", "issue", sentry.issue()),
    ("sentry", "comment", sentry.comment()),
    _vercel(vercel.deployment()),
    _vercel(vercel.deployment("check-rerequested", project=None, team=None)),
    (
        "github",
        "repository",
        {
            "action": "renamed",
            "changes": {"repository": {"name": {"from": "store"}}},
            "repository": github.repository("acme/shop"),
            "sender": github.user(),
            "installation": {"id": 7},
        },
    ),
]
"""What happens at acme, as its providers say it."""

LIES: list[Said] = [
    *TRUTH,
    _installation("installation", "deleted", repositories=_SHOP),
    _installation("installation", "suspend", repositories=_SHOP),
    _installation("installation_target", "renamed", account={"login": "rival"}, changes={}),
    _installation("installation_repositories", "removed", repositories_removed=_SHOP),
    _repository("renamed", "rival/stolen", changes=_RENAMED),
    _repository("transferred", "rival/shop", changes=_OWNER),
    _repository("archived", "acme/shop"),
    _repository("deleted", "acme/shop"),
    # Another repository takes the name, and one of the rival's own says that it was called so.
    _repository("renamed", "acme/shop", 666, changes=_RENAMED),
    _repository("renamed", "acme/shop", 2, changes=_RENAMED),
    ("github", "issues", github.issue("deleted", repo_id=1)),
    ("github", "issues", github.issue("closed", title="Stolen", repo_id=1)),
    # As early as what acme's own says of the name.
    ("github", "issues", github.issue(number=6, repo="acme/shop", repo_id=666)),
    ("github", "issues", github.issue(number=9, repo="rival/shop", repo_id=2)),
    ("github", "issues", github.issue(number=5, repo="acme/shop", repo_id=2, title="Stolen")),
    _vercel(vercel.configuration("removed")),
    _vercel(vercel.project("removed")),
    _vercel(vercel.deployment(project="prj_2", team="team_2")),
    _vercel(vercel.deployment("error")),
    (
        "linear",
        "OAuthApp",
        {
            "type": "OAuthApp",
            "action": "revoked",
            "organizationId": "org-1",
            "createdAt": "2030-01-01T00:00:00.000Z",
        },
    ),
    (
        "linear",
        "PermissionChange",
        {
            "type": "PermissionChange",
            "action": "teamAccessChanged",
            "organizationId": "org-1",
            "createdAt": "2030-01-01T00:00:00.000Z",
            "removedTeamIds": ["team-1"],
        },
    ),
    ("linear", "Issue", linear.issue("remove")),
    # Its own team's issue has the number of acme's: what hangs on that would go to it.
    ("linear", "Issue", linear.issue(teamId="team-2", team={"id": "team-2", "key": "RIV"})),
    ("sentry", "installation", sentry.installation("deleted")),
    ("sentry", "issue", sentry.issue("resolved")),
    (
        "sentry",
        "issue",
        sentry.issue(project={"id": "43", "name": "Rival", "slug": "shop"}, shortId="SHOP-1A"),
    ),
]
"""What rival says: all that acme says, word by word, and what would harm it."""

Secrets = tuple[bool, bool]
# Whether acme and rival have secrets of their own, and as what rival can lie then. Where it has none it
# does not know the environment's, and its credential reads what the provider says.
FORGERS: dict[Secrets, Sequence[str]] = {
    (True, True): ("installation", "manual", "credential", "unknown", "environment"),
    (True, False): ("manual", "unknown", "environment"),
    (False, True): ("installation", "manual", "credential", "unknown"),
    (False, False): ("manual", "unknown"),
}


class Tenants:
    """Both organisations with all four providers connected, each with secrets of its own or without.

    Without its own, acme's deliveries are verified by the environment's.
    """

    def __init__(self, conn: Connection, secrets: Secrets) -> None:
        self.own_secrets = secrets[0]
        self.acme = _connect(conn, "acme", ACME, with_secret=secrets[0])
        self.rival = _connect(conn, "rival", RIVAL, with_secret=secrets[1])
        # No lifecycle event said so, and none may take it back.
        conn.execute(
            "UPDATE lightfast.installations SET status = 'error', status_reason = 'token refused'"
        )
        conn.commit()

    def verifiers(self) -> list[str]:
        """What verifies acme's deliveries."""
        if self.own_secrets:
            return [f"installation:{found.id}" for found in self.acme.values()]
        return [f"env:{provider.upper()}" for provider in ACME]

    def says(self, said: Said) -> Delivery:
        """A delivery to acme."""
        provider, event, payload = said
        verified_by = f"installation:{self.acme[provider].id}" if self.own_secrets else None
        return told(provider, event, payload, verified_by=verified_by)

    def lies(self, said: Said, forger: str) -> Delivery:
        """The same, with the same id, from rival."""
        provider, event, payload = said
        installation = self.rival[provider].id
        copy = told(provider, event, payload, verified_by=f"installation:{installation}")
        if forger == "manual":
            return replace(copy, ingestion_source="manual", verified_by="manual", org_id="rival")
        if forger == "credential":
            by_credential = f"credential:{installation}"
            return replace(
                copy, ingestion_source="backfill", verified_by=by_credential, org_id="rival"
            )
        if forger == "environment":
            return replace(copy, verified_by=f"env:{provider.upper()}")
        return replace(copy, verified_by="installation:999") if forger == "unknown" else copy


def _connect(
    conn: Connection, org: str, places: dict[str, tuple[str, str]], *, with_secret: bool
) -> dict[str, Installation]:
    workspace = add_workspace(conn, "shop", org)
    found = {}
    for provider, (external_id, resource) in places.items():
        found[provider], _ = add_installation(conn, provider, external_id, org_id=org)
        if with_secret:
            set_secret(conn, KEYS, found[provider], f"{org}'s {provider}".encode())
        link_resource(
            conn, workspace, provider, resource, installation_id=found[provider].id, name="linked"
        )
    return found


# What differs between two databases without meaning anything.
_VOLATILE = {
    "captured_at",
    "connected_at",
    "created_at",
    "mapped_at",
    "processed_at",
    "updated_at",
    "own_secret_after",
}
_OF_WORKSPACE = "(SELECT id FROM lightfast.workspaces WHERE org_id = 'acme')"
_THROUGH = {
    "observation_sources": "observations",
    "observation_entities": "observations",
    "relationship_sources": "observations",
    "identity_mentions": "observations",
}
_NAMED = {
    "edges": """
        SELECT s.key, r.type, o.key FROM lightfast.relationships r
        JOIN lightfast.entities s ON s.id = r.subject_id JOIN lightfast.entities o ON o.id = r.object_id
        WHERE r.workspace_id IN {mine}""",
    "mentions": """
        SELECT v.source_id, m.role, m.stated_key, e.key FROM lightfast.observation_entities m
        JOIN lightfast.observations v ON v.id = m.observation_id
        JOIN lightfast.entities e ON e.id = m.entity_id WHERE v.workspace_id IN {mine}""",
    "stubs": """
        SELECT s.key, s.since::text, e.key FROM lightfast.entity_stubs s
        LEFT JOIN lightfast.entities e ON e.id = s.entity_id WHERE s.workspace_id IN {mine}""",
    "deliveries": """
        SELECT d.delivery_id, d.status, d.status_reason, d.id_reused::text FROM lightfast.deliveries d
        WHERE d.verified_by = ANY(%(acme)s)""",
    "read through": """
        SELECT r.provider_resource_id, n.external_id FROM lightfast.resources r
        JOIN lightfast.installations n ON n.id = r.installation_id WHERE r.org_id = 'acme'""",
}


def rows_of_acme(conn: Connection, tenants: Tenants) -> dict[str, list[str]]:
    """Every row that is acme's, without serial numbers and times of arrival."""
    found: dict[str, list[str]] = {}
    for table in metadata.sorted_tables:
        columns = [
            column.name
            for column in table.c
            if column.name not in _VOLATILE
            and not (column.name.endswith("id") and str(column.type) == "BIGINT")
        ]
        if "workspace_id" in table.c:
            mine = f"t.workspace_id IN {_OF_WORKSPACE}"
        elif table.name in _THROUGH:
            mine = (
                "t.observation_id IN (SELECT id FROM lightfast.observations "
                f"WHERE workspace_id IN {_OF_WORKSPACE})"
            )
        elif "org_id" in table.c and table.name not in ("raw_payloads", "workspaces"):
            mine = "t.org_id = 'acme'"
        else:
            continue
        if table.name in ("consolidation_marks", "activity") or not columns:
            continue
        names = ", ".join(f't."{column}"' for column in columns)
        found[table.name] = sorted(
            text
            for (text,) in rows(
                conn,
                f"SELECT jsonb_build_array({names})::text FROM lightfast.{table.name} t WHERE {mine}",
            )
        )
    for name, query in _NAMED.items():
        asked = conn.execute(
            query.format(mine=_OF_WORKSPACE), {"acme": tenants.verifiers()}
        ).fetchall()
        found[name] = sorted(map(repr, asked))
    conn.rollback()
    return found


def observations_of_rival(conn: Connection, tenants: Tenants) -> list[tuple[str, str]]:
    """What rival's workspace got from a delivery that was acme's."""
    return rows(
        conn,
        """
        SELECT o.source_id, p.verified_by FROM lightfast.observations o
        JOIN lightfast.workspaces w ON w.id = o.workspace_id AND w.org_id = 'rival'
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
        WHERE p.org_id IS NULL AND p.verified_by = ANY(%s)
        """,
        tenants.verifiers(),
    )


def _drain(conn: Connection, batch_rows: int = 100) -> None:
    while capture_all(conn, batch_rows=batch_rows).more:
        pass


def _played(
    database: Database, secrets: Secrets, steps: Sequence[tuple[Said, str | None]], batch: int
) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """What is acme's after these deliveries, in this order, captured `batch` at a time."""
    with database.connect() as conn:
        tenants = Tenants(conn, secrets)
        for first in range(0, len(steps), batch):
            receive(
                conn,
                [
                    tenants.lies(said, forger) if forger else tenants.says(said)
                    for said, forger in steps[first : first + batch]
                ],
            )
            _drain(conn, batch)
        decide_actors(conn, "acme", now=NOW)
        decide_actors(conn, "rival", now=NOW)
        conn.commit()
        return rows_of_acme(conn, tenants), observations_of_rival(conn, tenants)


@pytest.fixture
def alone(new_database: Callable[[], Database]) -> Callable[[Secrets], dict[str, list[str]]]:
    """What is acme's where rival says nothing."""

    @cache
    def played(secrets: Secrets) -> dict[str, list[str]]:
        steps: list[tuple[Said, str | None]] = [(said, None) for said in TRUTH]
        found, _ = _played(new_database(), secrets, steps, 100)
        assert len(found["observations"]) >= 7
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
        mine, leaked = _played(new_database(), secrets, steps, 100)
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
    mine, leaked = _played(new_database(), secrets, steps, data.draw(st.integers(1, 9)))
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
        told("github", "issues", github.issue(number=number, title=f"Issue {number}"))
        for number in (1, 2)
    )
    receive(conn, [before])
    capture_all(conn)
    for secret in ("first", "second", "third"):
        set_secret(conn, KEYS, installation, secret.encode())
    conn.commit()
    receive(conn, [after])
    _drain(conn)
    rebuild(conn)
    conn.commit()
    _drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered", "parked"]
    # Without a secret of its own the environment's speaks for it again.
    remove_secrets(conn, installation, keep=0)
    rebuild(conn)
    conn.commit()
    _drain(conn)
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
                _drain(conn)
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
        receive(conn, [told("github", "installation_repositories", added)])
    receive(conn, [told("github", "installation_repositories", taken)])
    _drain(conn)
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
    _drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered", "parked"]
    receive(conn, [tenants.says(("linear", "Issue", linear.issue()))])
    _drain(conn)
    assert [status for _, status in _statuses(conn)] == ["delivered"] * 3
    assert observations_of_rival(conn, tenants) == []


def test_a_payload_verified_by_an_unknown_secret_names_no_place(conn: Connection) -> None:
    tenants = Tenants(conn, (False, False))
    squatted = ("github", "issues", github.issue(number=6, repo="acme/shop", repo_id=666))
    for verified_by in ("installation:999", "installation:x", "other:1", "credential:1"):
        receive(conn, [replace(tenants.says(squatted), verified_by=verified_by)])
    _drain(conn)
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
    _repository("archived", "rival/shop", installation={"id": 8}),
    _repository("transferred", "rival/shop", changes=_OWNER, installation={"id": 8}),
    _installation("installation_repositories", "added", repositories_added=_MOVED),
    _installation("installation_repositories", "removed", repositories_removed=_MOVED),
    _installation("installation", "deleted", repositories=_MOVED),
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
    _vercel(vercel.project("removed")),
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
        _drain(conn)
        assert rows(conn, read) == before, (provider, event)
    assert {status for _, status in _statuses(conn)} == {"parked", "filtered"}
    assert one(conn, "SELECT count(*) FROM lightfast.observations") == 0
    assert one(conn, "SELECT count(*) FROM lightfast.place_names WHERE org_id <> 'rival'") == 0
