"""Workspaces apart: one event to two gives each its own, and no row of one leads to a row of the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Table

from lightfast_pipelines.embedding.pgvector import PgVectorIndex
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.store.database import Connection
from lightfast_pipelines.store.linked_resources import (
    Workspace,
    find_integration,
    list_integrations,
    set_active,
    set_sync_config,
)
from lightfast_pipelines.store.states import states_at
from lightfast_pipelines.store.tables import metadata
from lightfast_pipelines.store.why import explain
from tests.capture.deliveries import NOW, capture_all, delivery, one, receive, rows
from tests.capture.two_tenants import two_tenants
from tests.providers.github import payloads as github


@pytest.fixture
def tenants(conn: Connection) -> dict[str, Workspace]:
    return two_tenants(conn)


# Tables of workspaces that stay empty where no cluster changes its id and nothing has a key. A change
# waits only until its vector is made.
_EMPTY_HERE = {
    *("cluster_aliases", "model_answers", "hosted_coverage"),
    *("embedding_queue", "cluster_queue"),
    *("layer_changes", "index_changes", "hosted_namespaces"),
}


def test_an_event_for_two_workspaces_belongs_to_each(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    tables = [table.name for table in metadata.sorted_tables if "workspace_id" in table.c]
    for table in {*tables} - {"integrations", "consolidation_marks", *_ACCOUNTS}:
        counts = dict(
            rows(
                conn,
                f"""
                SELECT w.slug, count(*) FROM lightfast.{table} t
                JOIN lightfast.workspaces w ON w.id = t.workspace_id GROUP BY 1
                """,
            )
        )
        assert counts.get("first") == counts.get("second"), table
        assert counts or table in _EMPTY_HERE, table
    assert one(conn, "SELECT count(*) FROM lightfast.raw_payloads") == 13
    twice = rows(
        conn,
        """
        SELECT DISTINCT count(DISTINCT external_id), count(DISTINCT workspace_id)
        FROM lightfast.observations WHERE subject_key LIKE 'github:%%:1#%%' OR source = 'sentry'
        GROUP BY source_id
        """,
    )
    assert twice == [(2, 2)]


def test_each_workspace_decides_separately_what_becomes_of_an_event(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    integration = find_integration(conn, tenants["second"], "github", "1")
    set_sync_config(conn, integration, {"events": ["issues"]})
    conn.commit()
    capture_all(conn)
    for repo, by_second in (("acme/shop-2", "filtered"), ("acme/shop-0", "delivered")):
        tenant_rows = rows(
            conn,
            """
            SELECT w.slug, o.status FROM lightfast.outcomes o
            JOIN lightfast.workspaces w ON w.id = o.workspace_id
            JOIN lightfast.raw_payloads p ON p.id = o.raw_payload_id
            WHERE p.delivery_id = %s ORDER BY 1
            """,
            repo,
        )
        assert tenant_rows == [("first", "delivered"), ("second", by_second)]
    pulls = rows(
        conn,
        """
        SELECT w.slug FROM lightfast.observations o JOIN lightfast.workspaces w ON w.id = o.workspace_id
        WHERE o.subject_key = 'github:pr:1#6'
        """,
    )
    assert pulls == [("first",)]
    set_active(conn, find_integration(conn, tenants["first"], "github", "1"), False, "moved")
    conn.commit()
    receive(conn, [delivery("issues", github.issue("reopened", 5), "paused in one")])
    assert capture_all(conn).outcomes == {"filtered": 1, "delivered": 1}


# Of what has no workspace of its own: by which column it gets one, and from where.
_THROUGH = {
    "backfill_coverage": ("integration_id", "integrations"),
    "id_sweeps": ("integration_id", "integrations"),
    "observation_sources": ("observation_id", "observation_facts"),
    "observation_entities": ("observation_id", "observation_facts"),
    "relationship_sources": ("observation_id", "observation_facts"),
    "identity_mentions": ("observation_id", "observation_facts"),
}
# References that no foreign key holds: table, column, table it names, column there.
_NAMED = (
    ("observations", "cluster_id", "clusters", "id"),
    ("cluster_members", "cluster_id", "clusters", "id"),
    ("cluster_log", "cluster_id", "clusters", "id"),
    ("observations", "subject_key", "entities", "key"),
    ("temporal_states", "entity_id", "entities", "key"),
)
# They belong to an organisation or to nobody; a row of a workspace may name them.
# What was done, not what is remembered: it depends on who asked.
_ACCOUNTS = {"activity", "backfills"}
_OF_ORGANIZATIONS = {"installations", "resources", "actors", "actor_identities"}


def _place(table: Table, alias: str) -> str | None:
    """SQL for the workspace of a row."""
    if "workspace_id" in table.c:
        return f"{alias}.workspace_id"
    if table.name in _THROUGH:
        column, parent = _THROUGH[table.name]
        return f"(SELECT p.workspace_id FROM lightfast.{parent} p WHERE p.id = {alias}.{column})"
    return None


def test_no_row_of_a_workspace_leads_to_a_row_of_another(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    checked = {}
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            here, there = _place(table, "t"), _place(key.column.table, "o")
            if here is None or there is None:
                continue
            name = f"{table.name}.{key.parent.name}"
            checked[name] = one(
                conn,
                f"""
                SELECT count(*), count(*) FILTER (WHERE {here} IS DISTINCT FROM {there})
                FROM lightfast.{table.name} t
                JOIN lightfast.{key.column.table.name} o ON o.{key.column.name} = t.{key.parent.name}
                """,
            )
    assert {name: foreign for name, (_, foreign) in checked.items() if foreign} == {}
    empty = {name for name, (count, _) in checked.items() if not count}
    assert empty == set()
    assert {
        "relationships.subject_id",
        "relationships.object_id",
        "relationship_sources.subject_id",
        "observation_entities.entity_id",
        "entity_aliases.entity_id",
        "entity_stubs.entity_id",
        "temporal_states.related_observation_id",
        "state_changes.observation_id",
        "observation_vectors.observation_id",
        "cluster_members.observation_id",
    } <= checked.keys()


def test_references_without_a_foreign_key_are_found_in_the_same_workspace(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    for table, column, other, name in _NAMED:
        total, missing = one(
            conn,
            f"""
            SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
              SELECT FROM lightfast.{other} o
              WHERE o.{name} = t.{column} AND o.workspace_id = t.workspace_id))
            FROM lightfast.{table} t WHERE t.{column} IS NOT NULL
            """,
        )
        assert (total > 0, missing) == (True, 0), f"{table}.{column}"
    citations = rows(
        conn,
        """
        SELECT DISTINCT c.workspace_id, o.workspace_id FROM lightfast.clusters c,
          jsonb_array_elements(c.summary_citations) s, jsonb_array_elements_text(s->'observations') e (id)
        LEFT JOIN lightfast.observations o ON o.external_id = e.id
        """,
    )
    assert len(citations) == len(tenants)
    assert all(cluster == observation for cluster, observation in citations)


def test_every_derived_table_says_to_which_workspace_its_rows_belong() -> None:
    deliveries = {"workspaces", "raw_payloads", "raw_bodies", "raw_queue", "lifecycle_events"}
    # Days, counts and turns alone, for whoever runs the pipeline.
    operation = {
        "partition_start",
        "unreported_work",
        "queue_turns",
        "model_usage",
        "model_pauses",
        "model_batches",
        "quality_results",
        "health_figures",
        "breaches",
        "hosted_models",
        "hosted_index",
    }
    unknown = [
        table.name
        for table in metadata.sorted_tables
        if _place(table, "t") is None
        and "org_id" not in table.c
        and not {key.column.table.name for key in table.foreign_keys} & _OF_ORGANIZATIONS
        and table.name not in deliveries | operation
    ]
    assert unknown == []


def test_an_organisation_shares_its_people_and_resources_with_no_other(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    foreign = """
        SELECT count(*), count(*) FILTER (WHERE w.org_id <> i.org_id) FROM {}
    """
    through = {
        "identity_mentions": """lightfast.identity_mentions m
            JOIN lightfast.observations o ON o.id = m.observation_id
            JOIN lightfast.workspaces w ON w.id = o.workspace_id
            JOIN lightfast.actor_identities i ON i.id = m.identity_id""",
        "doers": """lightfast.observations o JOIN lightfast.workspaces w ON w.id = o.workspace_id
            JOIN lightfast.actor_identities i ON i.id IN (o.actor_identity_id, o.author_identity_id)""",
        "states": """lightfast.temporal_states t JOIN lightfast.workspaces w ON w.id = t.workspace_id
            JOIN lightfast.actor_identities i ON i.id = t.changed_by_identity_id""",
        "profiles": """lightfast.actor_profiles p JOIN lightfast.workspaces w ON w.id = p.workspace_id
            JOIN lightfast.actors i ON i.id = p.actor_id""",
        "resources": """lightfast.integrations t JOIN lightfast.workspaces w ON w.id = t.workspace_id
            JOIN lightfast.resources i ON i.id = t.resource_id""",
        "installations": """lightfast.integrations t JOIN lightfast.workspaces w ON w.id = t.workspace_id
            JOIN lightfast.resources r ON r.id = t.resource_id
            JOIN lightfast.installations i ON i.id = r.installation_id""",
        "members": """lightfast.actor_identities w JOIN lightfast.actors i ON i.id = w.actor_id""",
    }
    for name, tables in through.items():
        total, others = one(conn, foreign.format(tables))
        assert (total > 0, others) == (True, 0), name
    # The same account took part in both, and is nobody that the one could know the other by.
    grace = rows(
        conn,
        "SELECT org_id, actor_id FROM lightfast.actor_identities WHERE source_username = 'grace'",
    )
    assert sorted(org for org, _ in grace) == ["acme", "rival"]
    assert len({actor for _, actor in grace}) == 2


def test_a_reference_into_anothers_repository_stays_a_stub(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    tenant_rows = rows(
        conn,
        """
        SELECT w.slug, s.key, o.key, o.is_stub FROM lightfast.relationships r
        JOIN lightfast.workspaces w ON w.id = r.workspace_id
        JOIN lightfast.entities s ON s.id = r.subject_id
        JOIN lightfast.entities o ON o.id = r.object_id
        WHERE r.type = 'fixes' AND s.key LIKE 'github:pr:%%' ORDER BY 1, 3
        """,
    )
    undone = rows(
        conn,
        """
        SELECT DISTINCT o.is_stub FROM lightfast.relationships r
        JOIN lightfast.entities o ON o.id = r.object_id WHERE r.type = 'reverts'
        """,
    )
    assert undone == [(True,)]
    assert tenant_rows == [
        (slug, f"github:pr:{own}#6", key, is_stub)
        for slug, own, other in (("first", 1, "rival"), ("second", 1, "rival"), ("spy", 2, "acme"))
        for key, is_stub in (
            (f"github:issue:{own}#5", False),
            (f"github:ref:{other}/shop#5", True),
        )
    ]


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("github:issue:1#5", "first"),
        ("github:ref:acme/shop#5", "first"),
        ("sentry:issue:42:4711", "first"),
        ("github:issue:2#5", "spy"),
        ("vercel:deployment:dpl_1", "spy"),
        ("rival/shop-0", "spy"),
        ("acme/shop-3", "second"),
    ],
)
def test_why_and_state_show_a_workspace_nothing_of_another(
    conn: Connection, tenants: dict[str, Workspace], key: str, owner: str
) -> None:
    now = NOW + timedelta(days=30)
    assert explain(conn, key, tenants[owner])
    for slug, workspace in tenants.items():
        explanation = explain(conn, key, workspace)
        told_of = {
            row["workspace"]
            for section in ("entities", "observations")
            for row in explanation.get(section, [])
        }
        assert told_of <= {slug}
        assert {row["workspace"] for row in states_at(conn, key, now, None, workspace)} <= {slug}
        shares = slug == owner or {slug, owner} == {"first", "second"}
        if not shares:
            assert "deliveries" not in explanation, explanation
            assert all(row["is_stub"] for row in explanation.get("entities", [])), explanation
            assert states_at(conn, key, now, None, workspace) == []


def test_an_observations_id_shows_nothing_to_another_workspace(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    ids = rows(
        conn,
        """
        SELECT w.slug, min(o.external_id) FROM lightfast.observations o
        JOIN lightfast.workspaces w ON w.id = o.workspace_id GROUP BY 1
        """,
    )
    for owner, identifier in ids:
        for slug, workspace in tenants.items():
            assert bool(explain(conn, identifier, workspace)) == (slug == owner)


def test_a_workspace_sees_what_a_delivery_became_there_and_not_elsewhere(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    set_active(conn, find_integration(conn, tenants["first"], "github", "1"), False, "secret plan")
    conn.commit()
    receive(conn, [delivery("issues", github.issue("reopened", 5), "both")])
    capture_all(conn)
    (first,) = explain(conn, "both", tenants["first"])["deliveries"]
    (second,) = explain(conn, "both", tenants["second"])["deliveries"]
    assert (first["status"], first["reason"]) == ("filtered", "paused: secret plan")
    assert (second["status"], second["reason"]) == ("delivered", None)
    assert explain(conn, "both", tenants["spy"]) == {}
    # Whoever may see all sees the worst of it.
    assert len(explain(conn, "both", None)["deliveries"]) == 1


def test_what_waits_for_one_organisation_is_not_shown_to_another(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    payload = github.issue("opened", 7, repo="new/shop", repo_id=7)
    receive(conn, [delivery("issues", payload, "by hand", org_id="acme", source="manual")])
    capture_all(conn)
    for key in ("github:issue:7#7", "by hand"):
        assert explain(conn, key, tenants["first"])
        assert explain(conn, key, tenants["spy"]) == {}


def test_links_and_neighbours_are_listed_by_workspace(
    conn: Connection, tenants: dict[str, Workspace]
) -> None:
    for slug, workspace in tenants.items():
        assert {each.workspace for each in list_integrations(conn, workspace)} == {slug}
    embedder = WordLlamaEmbedder()
    (vector,) = embedder.embed(["Keep the cart"])
    for workspace in tenants.values():
        near = PgVectorIndex(conn).search(workspace.id, vector, 500, model=embedder.name)
        owners = rows(
            conn,
            "SELECT DISTINCT workspace_id FROM lightfast.observations WHERE id = ANY(%s)",
            [each.observation_id for each in near],
        )
        assert owners == [(workspace.id,)]
