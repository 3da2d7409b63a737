"""A migrated database equals the definition of the tables, and holds to its roles' rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, NullPool, create_engine

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.migrate import MigrationError, current_revision, head_revision
from lightfast_pipelines.store.tables import metadata

# Every object of the schema with all that defines it. Rights have a test of their own.
_CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
          co.collname, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        LEFT JOIN pg_collation co ON co.oid = a.attcollation
        WHERE c.relnamespace = to_regnamespace('lightfast') AND c.relkind IN ('r', 'p')
    """,
    "tables": """
        SELECT c.relname, c.relkind, pg_get_partkeydef(c.oid), obj_description(c.oid, 'pg_class')
        FROM pg_class c
        WHERE c.relnamespace = to_regnamespace('lightfast') AND c.relkind IN ('r', 'p')
    """,
    "constraints": """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.connamespace = to_regnamespace('lightfast')
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'lightfast'
    """,
}
_NOT_DEFINED_AS_TABLES = {"schema_version", "raw_bodies_default"}


def _objects(connection: Any) -> dict[str, set[tuple[object, ...]]]:
    return {
        kind: {
            tuple(row)
            for row in connection.exec_driver_sql(query)
            if row[0] not in _NOT_DEFINED_AS_TABLES
        }
        for kind, query in _CATALOGUE.items()
    }


def test_a_migrated_database_equals_the_definition_of_the_tables(
    new_database: Callable[[], Database],
) -> None:
    migrated, defined = (_engine(new_database()) for _ in range(2))
    with migrated.connect() as connection:
        by_migration = _objects(connection)
    with defined.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA lightfast CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA lightfast")
        metadata.create_all(connection)
        by_definition = _objects(connection)
    for kind, objects in by_definition.items():
        assert objects, kind
        assert objects ^ by_migration[kind] == set(), kind
    # Every table is described where it is defined, and so is every column.
    assert [row for row in by_definition["tables"] if not row[-1]] == []
    assert [row for row in by_definition["columns"] if not row[-1]] == []


def _engine(database: Database) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database.url("migrator")),
        poolclass=NullPool,
    )


@pytest.mark.parametrize(
    ("revision", "advice"),
    [("0024", "DROP SCHEMA lightfast CASCADE"), ("9999", "run the newer release")],
)
def test_a_database_that_cannot_be_upgraded_is_refused_with_a_remedy(
    database: Database, revision: str, advice: str
) -> None:
    with database.connect("migrator") as conn:
        conn.execute("UPDATE lightfast.schema_version SET version_num = %s", (revision,))
        conn.commit()
    with pytest.raises(MigrationError, match=f"at revision {revision}, .*{advice}"):
        database.migrate()
    assert current_revision(database.url("migrator")) == revision


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert database.migrate() == head_revision()
    assert current_revision(database.url("migrator")) == head_revision()


def test_the_receiver_cannot_read_a_body_or_a_payload(database: Database) -> None:
    with database.connect("receiver", autocommit=True) as conn:
        for query in (
            "SELECT body FROM lightfast.raw_bodies",
            "SELECT received_at FROM lightfast.raw_payloads",
            "SELECT * FROM lightfast.raw_queue",
            "SELECT * FROM lightfast.observations",
            "DELETE FROM lightfast.raw_queue",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(query)
        conn.execute(
            "SELECT provider, delivery_id, event_type, body_sha256, org_id, verified_by "
            "FROM lightfast.raw_payloads"
        )


def test_the_analyst_reads_tables_and_views_but_no_body(database: Database) -> None:
    with database.connect("analyst", autocommit=True) as conn:
        conn.execute(
            "SELECT * FROM lightfast.deliveries, lightfast.observations, lightfast.observation_people"
        )
        for query in (
            "SELECT body FROM lightfast.raw_bodies",
            "SELECT * FROM lightfast.raw_bodies_default",
            "SELECT * FROM lightfast.delivery_bodies",
            "INSERT INTO lightfast.workspaces (org_id, slug, name) VALUES ('a', 'b', 'c')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(query)


def test_no_role_is_a_superuser(database: Database) -> None:
    with database.connect("migrator") as conn:
        rows = conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'lightfast%' AND rolsuper"
        ).fetchall()
    assert rows == []


def test_two_processes_that_migrate_at_once_both_reach_the_newest_revision(
    new_database: Callable[[], Database],
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    database = new_database()
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("DROP SCHEMA lightfast CASCADE")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: database.migrate(), range(2))) == [head_revision()] * 2
