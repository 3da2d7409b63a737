"""The migrated schema is the one that the tables describe."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.migrate import current_revision, head_revision
from lightfast_pipelines.store.schema import metadata


def test_the_migrated_schema_equals_the_tables(database: Database) -> None:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database.url("migrator")),
        poolclass=NullPool,
    )

    def ours(name: str | None, kind: str, parents: object) -> bool:
        if kind == "schema":
            return name == "lightfast"
        return not (
            kind == "table" and (name == "schema_version" or str(name).startswith("raw_bodies_"))
        )

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "include_name": ours, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


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


def test_no_role_of_normal_work_is_a_superuser(database: Database) -> None:
    with database.connect("migrator") as conn:
        rows = conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'lightfast%' AND rolsuper"
        ).fetchall()
    assert rows == []


def test_two_processes_that_migrate_at_once_both_end_at_the_head(
    new_database: Callable[[], Database],
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    database = new_database()
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute("DROP SCHEMA lightfast CASCADE")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: database.migrate(), range(2))) == [head_revision()] * 2
