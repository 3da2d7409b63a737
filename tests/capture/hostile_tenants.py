"""Two organisations that share the pipeline: acme, and rival, which attacks acme. Defines what both
send, and how acme's rows are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lightfast_pipelines.people.actors import decide_actors
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.deliveries import Delivery
from lightfast_pipelines.store.installations import (
    Installation,
    add_installation,
    set_secret,
)
from lightfast_pipelines.store.linked_resources import add_workspace, link_resource
from lightfast_pipelines.store.sealed import Keys
from lightfast_pipelines.store.tables import metadata
from tests.capture.deliveries import NOW, capture_all, receive, rows
from tests.capture.provider_deliveries import provider_delivery
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


def says_vercel(payload: Json) -> Said:
    return ("vercel", payload["type"], payload)


def says_repository(action: str, name: str, repo_id: int = 1, **more: Any) -> Said:
    payload = {
        "action": action,
        "repository": github.repository(name, repo_id, updated_at=_LATE),
        "sender": github.user(),
        "installation": {"id": 7},
        **more,
    }
    return ("github", "repository", payload)


def says_installation(event: str, action: str, **more: Any) -> Said:
    installed = {"id": 7, "account": {"login": "acme", "id": 70}, "updated_at": _LATE}
    payload = {"action": action, "installation": installed, "sender": github.user(), **more}
    return ("github", event, payload)


_SHOP = [{"id": 1, "name": "stolen", "full_name": "rival/stolen"}]
_RENAMED = {"repository": {"name": {"from": "shop"}}}
OWNER_RENAMED = {"owner": {"from": {"organization": {"login": "acme", "id": 70}}}}

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
    says_vercel(vercel.deployment()),
    says_vercel(vercel.deployment("check-rerequested", project=None, team=None)),
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
"""What happens at acme, as its providers report it."""

LIES: list[Said] = [
    *TRUTH,
    says_installation("installation", "deleted", repositories=_SHOP),
    says_installation("installation", "suspend", repositories=_SHOP),
    says_installation("installation_target", "renamed", account={"login": "rival"}, changes={}),
    says_installation("installation_repositories", "removed", repositories_removed=_SHOP),
    says_repository("renamed", "rival/stolen", changes=_RENAMED),
    says_repository("transferred", "rival/shop", changes=OWNER_RENAMED),
    says_repository("archived", "acme/shop"),
    says_repository("deleted", "acme/shop"),
    # Another repository takes the name, and one of the rival's own claims to have had it.
    says_repository("renamed", "acme/shop", 666, changes=_RENAMED),
    says_repository("renamed", "acme/shop", 2, changes=_RENAMED),
    ("github", "issues", github.issue("deleted", repo_id=1)),
    ("github", "issues", github.issue("closed", title="Stolen", repo_id=1)),
    # As early as what acme's own repository says about the name.
    ("github", "issues", github.issue(number=6, repo="acme/shop", repo_id=666)),
    ("github", "issues", github.issue(number=9, repo="rival/shop", repo_id=2)),
    ("github", "issues", github.issue(number=5, repo="acme/shop", repo_id=2, title="Stolen")),
    says_vercel(vercel.configuration("removed")),
    says_vercel(vercel.project("removed")),
    says_vercel(vercel.deployment(project="prj_2", team="team_2")),
    says_vercel(vercel.deployment("error")),
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
    # Its own team's issue has the number of acme's: what is attached to that would go to it.
    ("linear", "Issue", linear.issue(teamId="team-2", team={"id": "team-2", "key": "RIV"})),
    ("sentry", "installation", sentry.installation("deleted")),
    ("sentry", "issue", sentry.issue("resolved")),
    (
        "sentry",
        "issue",
        sentry.issue(project={"id": "43", "name": "Rival", "slug": "shop"}, shortId="SHOP-1A"),
    ),
]
"""What rival sends: all that acme sends, word for word, and what would harm acme."""

Secrets = tuple[bool, bool]
# Whether acme and rival have secrets of their own, and which forgeries rival can then make. Without its
# own it does not know the environment's, and its credential reads what the provider says.
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
        # No lifecycle event caused this status, and none may revert it.
        conn.execute(
            "UPDATE lightfast.installations SET status = 'error', status_reason = 'token refused'"
        )
        conn.commit()

    def verifiers(self) -> list[str]:
        """What verifies acme's deliveries."""
        if self.own_secrets:
            return [f"installation:{installation.id}" for installation in self.acme.values()]
        return [f"env:{provider.upper()}" for provider in ACME]

    def says(self, said: Said) -> Delivery:
        """A delivery to acme."""
        provider, event, payload = said
        verified_by = f"installation:{self.acme[provider].id}" if self.own_secrets else None
        return provider_delivery(provider, event, payload, verified_by=verified_by)

    def lies(self, said: Said, forger: str) -> Delivery:
        """The same, with the same id, from rival."""
        provider, event, payload = said
        installation = self.rival[provider].id
        copy = provider_delivery(
            provider, event, payload, verified_by=f"installation:{installation}"
        )
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
    installations = {}
    for provider, (external_id, resource) in places.items():
        installations[provider], _ = add_installation(conn, provider, external_id, org_id=org)
        if with_secret:
            set_secret(conn, KEYS, installations[provider], f"{org}'s {provider}".encode())
        link_resource(
            conn,
            workspace,
            provider,
            resource,
            installation_id=installations[provider].id,
            name="linked",
        )
    return installations


# Columns that differ between two databases without meaning anything: times, serial ids, how often a look
# was asked for.
_VOLATILE = {
    "asked",
    "captured_at",
    "connected_at",
    "created_at",
    "mapped_at",
    "not_before",
    "processed_at",
    "queued_at",
    "updated_at",
    "words",
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
    rows_by_table: dict[str, list[str]] = {}
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
        rows_by_table[table.name] = sorted(
            text
            for (text,) in rows(
                conn,
                f"SELECT jsonb_build_array({names})::text FROM lightfast.{table.name} t WHERE {mine}",
            )
        )
    for name, query in _NAMED.items():
        named_rows = conn.execute(
            query.format(mine=_OF_WORKSPACE), {"acme": tenants.verifiers()}
        ).fetchall()
        rows_by_table[name] = sorted(map(repr, named_rows))
    conn.rollback()
    return rows_by_table


def observations_of_rival(conn: Connection, tenants: Tenants) -> list[tuple[str, str]]:
    """What rival's workspace got from acme's deliveries."""
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


def drain(conn: Connection, batch_rows: int = 100) -> None:
    while capture_all(conn, batch_rows=batch_rows).more:
        pass


def rows_after(
    database: Database, secrets: Secrets, steps: Sequence[tuple[Said, str | None]], batch: int
) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Acme's rows, and rival's from acme's deliveries, after these were captured `batch` at a time."""
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
            drain(conn, batch)
        decide_actors(conn, "acme", now=NOW)
        decide_actors(conn, "rival", now=NOW)
        conn.commit()
        return rows_of_acme(conn, tenants), observations_of_rival(conn, tenants)
