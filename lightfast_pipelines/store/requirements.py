"""Checks, before the first migration, that a Postgres has everything the schema needs.

All problems are reported at once, each with its remedy; a failing migration would report one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

OLDEST_VERSION = 160_000
"""The roles need `GRANT ... WITH SET`, which Postgres 16 introduced."""

ROLES = ("lightfast_receiver", "lightfast_pipeline", "lightfast_analyst")

EXTENSION_SCHEMAS = ("lightfast", "public", "extensions")
"""Schemas in which the extension `vector` is found; hosted servers install it into `extensions`."""

# Roles on hosted servers that may install extensions without being superuser.
_HOSTED_ADMINISTRATORS = (
    "rds_superuser",
    "cloudsqlsuperuser",
    "azure_pg_admin",
    "alloydbsuperuser",
)


@dataclass(frozen=True, slots=True)
class Server:
    """Facts about a server, and what this user may do there."""

    database: str
    user: str
    read_only: bool
    encoding: str
    may_create_schema: bool
    may_create_roles: bool
    may_install: bool
    schema_owner: str | None
    """Owner of the schema `lightfast`, if this user lacks that owner's rights."""
    vector_installed_in: str | None
    vector_available: bool
    closed_roles: Sequence[str] = ()
    """Roles of the project that exist and that this user may not take."""
    missing_roles: Sequence[str] = ROLES


def check_server(connection: psycopg.Connection[Any]) -> list[str]:
    """The problems of the server, each with its remedy; empty if there are none. Changes nothing."""
    old = too_old(connection.info.server_version)
    if old:
        # Older servers do not understand the query below.
        return [old]
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            _FACTS, {"roles": list(ROLES), "administrators": list(_HOSTED_ADMINISTRATORS)}
        ).fetchone()
    connection.rollback()
    assert row is not None
    return problems_of(_server(row))


def too_old(version: int) -> str | None:
    """Why a server of this version (`server_version_num`) is too old; None if it is not."""
    if version >= OLDEST_VERSION:
        return None
    shown = (
        f"{version // 10_000}"
        if version >= 100_000
        else f"{version // 10_000}.{version // 100 % 100}"
    )
    return (
        f"it is Postgres {shown}, and 16 or newer is needed: "
        "give the address of a newer one, or unset LIGHTFAST_DATABASE_URL for the embedded one"
    )


def problems_of(server: Server) -> list[str]:
    """The problems of such a server, each with its remedy."""
    problems: list[str] = []
    if server.read_only:
        problems.append("it only reads (a replica?): give the address of the primary")
    if server.encoding != "UTF8":
        problems.append(
            f"database {server.database} is encoded in {server.encoding}: "
            "make one with `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"
        )
    problems += _extension_problems(server)
    if server.schema_owner is not None:
        problems.append(
            f"the schema lightfast there belongs to {server.schema_owner}: connect as that user"
        )
    elif not server.may_create_schema:
        problems.append(
            f"{server.user} may not create a schema: "
            f'GRANT CREATE ON DATABASE "{server.database}" TO "{server.user}"'
        )
    if server.closed_roles:
        roles = ", ".join(server.closed_roles)
        problems.append(
            f"{server.user} may not take the roles {roles}, which are there already: "
            f'GRANT {roles} TO "{server.user}" WITH SET TRUE'
        )
    if server.missing_roles and not server.may_create_roles:
        problems.append(
            f"{server.user} may not create the roles {', '.join(server.missing_roles)}: "
            f'ALTER ROLE "{server.user}" CREATEROLE'
        )
    return problems


def _extension_problems(server: Server) -> list[str]:
    if server.vector_installed_in is not None:
        if server.vector_installed_in in EXTENSION_SCHEMAS:
            return []
        return [
            f"the extension vector is in the schema {server.vector_installed_in}, where it is not "
            "found: ALTER EXTENSION vector SET SCHEMA public"
        ]
    if not server.vector_available:
        return [
            "the extension vector (pgvector) is not on that machine: install its package there "
            "(Debian and Ubuntu: postgresql-16-pgvector), or turn it on at your provider"
        ]
    if not server.may_install:
        return [
            f"{server.user} may not install the extension vector: let an administrator run "
            f"CREATE EXTENSION vector in the database {server.database}"
        ]
    return []


def _server(row: Mapping[str, Any]) -> Server:
    return Server(**{name: row[name] for name in Server.__dataclass_fields__ if name in row})


_FACTS = """
    WITH roles AS (
      SELECT name, r.oid FROM unnest(%(roles)s::text[]) AS name
      LEFT JOIN pg_catalog.pg_roles r ON r.rolname = name
    ), me AS (
      SELECT oid, rolname, rolsuper, rolcreaterole FROM pg_catalog.pg_roles
      WHERE rolname = current_user
    )
    SELECT
      current_database()::text AS database,
      me.rolname::text AS user,
      pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
      current_setting('server_encoding') AS encoding,
      has_database_privilege(current_database(), 'CREATE')
        OR to_regnamespace('lightfast') IS NOT NULL AS may_create_schema,
      me.rolsuper OR me.rolcreaterole AS may_create_roles,
      me.rolsuper
        OR EXISTS (SELECT FROM pg_catalog.pg_roles a
                   WHERE a.rolname = ANY(%(administrators)s) AND pg_has_role(a.oid, 'MEMBER'))
        OR (has_database_privilege(current_database(), 'CREATE')
            AND EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions
                        WHERE name = 'vector' AND trusted)) AS may_install,
      (SELECT o.rolname::text FROM pg_catalog.pg_namespace n
       JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
       WHERE n.nspname = 'lightfast' AND NOT pg_has_role(o.oid, 'USAGE')) AS schema_owner,
      (SELECT n.nspname::text FROM pg_catalog.pg_extension e
       JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
       WHERE e.extname = 'vector') AS vector_installed_in,
      EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'vector')
        AS vector_available,
      ARRAY(SELECT name FROM roles WHERE oid IS NOT NULL AND NOT pg_has_role(oid, 'SET'))
        AS closed_roles,
      ARRAY(SELECT name FROM roles WHERE oid IS NULL) AS missing_roles
    FROM me
"""
