"""Brings a database to the newest schema, one migrator at a time; `migrations/` holds the migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from lightfast_pipelines.store.requirements import EXTENSION_SCHEMAS, check_server

BASE_REVISION = "0028"
"""Revision of `migrations/versions/base.py`: no database of an earlier one can be upgraded."""

_VERSIONS = Path(__file__).parent / "migrations" / "versions"

# Any fixed number that no job lock uses: two processes that start at once must not both migrate.
_MIGRATION_LOCK = 4_711_000_001


class MigrationError(RuntimeError):
    """The schema could not be brought up to date; the message says why and what to do."""


def migrate(libpq_url: str, *, roles_log_in: bool) -> str:
    """Upgrades to the newest revision and returns it. Waits for another migrator at work.

    `roles_log_in`: whether the new roles may log in (on a server that trusts its private socket) or are
    taken by SET ROLE. A failure leaves nothing behind. Raises MigrationError.
    """
    head = head_revision()
    with psycopg.connect(libpq_url) as connection:
        revision = _revision(connection)
        if revision == head:
            return head
        _check_upgradable(revision)
        lacking = check_server(connection)
    if lacking:
        raise MigrationError(f"this server cannot be used: {'; '.join(lacking)}")
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(libpq_url), poolclass=NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as connection:
            # A session lock, so that the second migrator sees the first one's commit.
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            # The statements name an extension's types without a schema, and CREATE EXTENSION installs
            # into the first of these.
            schemas = [schema for schema in EXTENSION_SCHEMAS if schema != "lightfast"]
            connection.exec_driver_sql(f"SET search_path = {', '.join(schemas)}")
            connection.commit()
            # Committed with the migrations, so that a failure leaves no empty schema behind.
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS lightfast")
            config.attributes["connection"] = connection
            config.attributes["roles_log_in"] = roles_log_in
            command.upgrade(config, "head")
            connection.commit()
    except Exception as error:
        message = f"migrating the database to revision {head} failed: {str(error).strip().splitlines()[0]}"
        raise MigrationError(message) from error
    finally:
        engine.dispose()
    return head


def check_revision(libpq_url: str) -> str:
    """Checks, for a role that may not migrate, that the database has the newest revision, and returns it."""
    head = head_revision()
    revision = current_revision(libpq_url)
    if revision != head:
        _check_upgradable(revision)
        raise MigrationError(
            f"the database is at revision {revision or 'none'}, and this release needs {head}: run "
            "`lightfast db migrate` where LIGHTFAST_DATABASE_URL is set to the owner's login"
        )
    return head


def head_revision() -> str:
    """The newest revision, from the names of the files (importing Alembic would take 0.2 s)."""
    numbers = [path.stem.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py")]
    return max(numbers, default=BASE_REVISION)


def current_revision(libpq_url: str) -> str | None:
    """The database's revision; None if it was never migrated."""
    with psycopg.connect(libpq_url) as connection:
        return _revision(connection)


def _check_upgradable(revision: str | None) -> None:
    if revision is not None and revision < BASE_REVISION:
        raise MigrationError(
            f"the database is at revision {revision}, from before the first release, and cannot be "
            f"upgraded to {head_revision()}. Create it again, without its contents: for the embedded "
            "server, end `lightfast up` and move the home's folder away; on a server of your own, run "
            "DROP SCHEMA lightfast CASCADE as its owner. Then run `lightfast db migrate`"
        )
    if revision is not None and revision > head_revision():
        raise MigrationError(
            f"the database is at revision {revision}, and this release knows none after "
            f"{head_revision()}: run the newer release that migrated it"
        )


def _revision(connection: psycopg.Connection[Any]) -> str | None:
    # From the catalogue: a query of the table would fail for a role without rights on the schema.
    row = connection.execute(
        """
        SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'lightfast' AND c.relname = 'schema_version'
        """
    ).fetchone()
    if row is None:
        return None
    if not row[0]:
        return "0000"  # the roles cannot read it before revision 0020
    row = connection.execute("SELECT version_num FROM lightfast.schema_version").fetchone()
    return str(row[0]) if row else None
