"""A grown history is as the pipeline would have made it: keys hold, nothing waits, and it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from bench.grown_names import Copy, Repository, account_of, address_of, delivery_of
from bench.grown_tables import grow
from lightfast_pipelines.clustering.consolidation import consolidate
from lightfast_pipelines.embedded_postgres import Lease
from lightfast_pipelines.embedding.wordllama_embedder import WordLlamaEmbedder
from lightfast_pipelines.processing import what_waits
from lightfast_pipelines.store.database import Connection, Database
from tests.bench.recorded_history import NAME, REPOSITORY, lines

COPIES = 5


@pytest.fixture(scope="module")
def grown(postgres: Lease, processed_seed: str) -> Iterator[Database]:
    name = "grown_for_its_tests"
    with Database(lease=postgres).connect("migrator", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {processed_seed}")
    database = Database(lease=postgres, name=name)
    with database.connect("migrator") as owner:
        seed = _count(owner, "observation_facts")
        owner.rollback()
        grow(owner, seed * (COPIES + 1))
    yield database
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _count(conn: Connection, table: str, where: str = "true") -> int:
    row = conn.execute(f"SELECT count(*) FROM lightfast.{table} WHERE {where}").fetchone()
    assert row is not None
    return int(row[0])


def _clusters(conn: Connection) -> dict[int, str]:
    rows = conn.execute("SELECT observation_id, cluster_id FROM lightfast.cluster_members")
    return dict(rows.fetchall())


def _structure(conn: Connection) -> set[tuple[str, ...]]:
    """Constraints, indexes and enabled triggers; a partition for each month of bodies is no part of it."""
    found = conn.execute(
        """
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'lightfast'::regnamespace AND convalidated
            UNION ALL
            SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'lightfast'
            UNION ALL
            SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
            """
    ).fetchall()
    return {row for row in found if "raw_bodies_2" not in row[0]}


def test_all_constraints_indexes_and_triggers_are_there_again(
    grown: Database, database: Database
) -> None:
    with grown.connect("migrator") as conn, database.connect("migrator") as fresh:
        assert _structure(conn) == _structure(fresh)


def test_nothing_waits_after_growing(grown: Database) -> None:
    with grown.connect() as conn:
        assert what_waits(conn, WordLlamaEmbedder().name).total == 0
        assert _count(conn, "layer_changes") == 0


def test_observations_repositories_people_and_days_are_new_in_each_copy(grown: Database) -> None:
    with grown.connect() as conn:
        assert conn.execute(
            """
            SELECT count(*) = count(DISTINCT external_id) AND count(*) = count(DISTINCT source_id)
            FROM lightfast.observation_facts
            """
        ).fetchone() == (True,)
        assert _count(conn, "resources", "provider = 'github'") == COPIES + 1
        seed_people = _count(conn, "actors", "org_id = 'default'")
        assert _count(conn, "actors") > seed_people * 3
        assert _count(conn, "workspaces") == 4
        assert conn.execute(
            """
            SELECT count(DISTINCT partition_date) > 2 * count(DISTINCT partition_date)
                     FILTER (WHERE org_id = 'default')
            FROM lightfast.raw_payloads
            """
        ).fetchone() == (True,)


def test_each_copy_has_the_deployments_tickets_and_errors_of_its_own_commits(
    grown: Database,
) -> None:
    with grown.connect() as conn:
        for table, of in (
            ("relationships", "type = 'deploys'"),
            ("relationships", "type = 'tracked_in'"),
            ("relationships", "type = 'caused_by'"),
            ("occurrences", "true"),
            ("temporal_states", "state_type = 'live_deployment:production' AND is_current"),
        ):
            seed = _count(
                conn,
                table,
                f"{of} AND workspace_id = (SELECT id FROM lightfast.workspaces WHERE org_id = 'default')",
            )
            assert seed > 0, of
            assert _count(conn, table, of) == seed * (COPIES + 1), of
        # The commit that a deployment names is the one that it is related to.
        assert (
            _count(
                conn,
                "observations",
                "source = 'vercel' AND NOT EXISTS (SELECT FROM lightfast.entities e"
                " WHERE e.workspace_id = observations.workspace_id"
                " AND e.key = 'github:commit:' || (metadata->>'gitCommitSha'))",
            )
            == 0
        )
        assert (
            _count(
                conn,
                "temporal_states",
                "state_type = 'live_deployment:production' AND NOT EXISTS (SELECT FROM lightfast.entities e"
                " WHERE e.workspace_id = temporal_states.workspace_id AND e.key = state_value)",
            )
            == 0
        )


def test_consolidation_finds_the_clusters_of_the_copies_decided_as_it_would(
    grown: Database,
) -> None:
    """Most of them: somebody who works on several repositories connects what the seed did not."""
    with grown.connect() as conn:
        before = _clusters(conn)
        consolidate(conn, WordLlamaEmbedder(), now=datetime.now(UTC), force=True)
        after = _clusters(conn)
        conn.rollback()
    moved = sum(after[observation] != cluster for observation, cluster in before.items())
    assert after.keys() == before.keys()
    assert moved <= len(before) * 0.25


def test_a_later_delivery_of_a_copy_belongs_to_its_repository_and_its_people() -> None:
    copy = Copy(3, home=1, first=1, workspace_id=2, org_id="large", slug="large", days=-74)
    of = Repository(str(REPOSITORY), NAME)
    [opened, pushed, *_] = lines(1)
    sender = opened["payload"]["sender"]
    changed = delivery_of(opened, copy, of, ())["payload"]
    shared = delivery_of(opened, copy, of, (str(sender["id"]),))["payload"]
    commit = delivery_of(pushed, copy, of, ())["payload"]["commits"][0]
    assert str(changed["repository"]["id"]) == copy.repository(of).id
    assert changed["repository"]["full_name"] == copy.repository(of).name
    assert changed["sender"]["id"] == account_of(sender["id"], 3)
    assert shared["sender"]["id"] == account_of(sender["id"], 1)
    assert commit["id"] != pushed["payload"]["commits"][0]["id"]
    assert commit["author"]["email"] == address_of(
        pushed["payload"]["commits"][0]["author"]["email"], 3
    )


def test_sql_and_python_name_a_copy_alike(grown: Database) -> None:
    """What arrives later must meet the rows that SQL made."""
    of = Repository(str(REPOSITORY), NAME)
    with grown.connect() as conn:
        row = conn.execute("SELECT id FROM lightfast.workspaces WHERE slug = 'large'").fetchone()
        assert row is not None
        copy = Copy(3, home=1, first=1, workspace_id=row[0], org_id="large", slug="large", days=-74)
        [_, pushed, *_] = lines(1)
        payload = delivery_of(pushed, copy, of, ())["payload"]
        commit = payload["commits"][0]
        entity = f"github:commit:{commit['id']}"
        assert _count(conn, "entities", f"key = '{entity}' AND workspace_id = {row[0]}") == 1
        key = f"{commit['author']['name']} <{commit['author']['email']}>"
        assert _count(conn, "actor_identities", f"source_id = '{key}' AND org_id = 'large'") == 1
