"""Prepares the schema of Dagster's own tables, next to the memory on a server of your own.

Dagster logs in as the pipeline's role, which owns the tables: Dagster creates them and changes them
when it is upgraded.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

SCHEMA = "dagster"
_ROLE = "lightfast_pipeline"

# Two processes that start at once must not both create the schema.
_LOCK = 4_711_000_002


def prepare_dagster_schema(connection: psycopg.Connection[Any]) -> None:
    """Creates the schema, and gives the pipeline the tables that the owner created in it. Commits.

    The owner keeps every right, so that dumps of the whole database keep working.
    """
    if _is_prepared(connection):
        connection.rollback()
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    owner = sql.Identifier(_text(connection, "SELECT current_user::text"))
    schema, role = sql.Identifier(SCHEMA), sql.Identifier(_ROLE)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(schema, role))
    for (name,) in connection.execute(_TABLES_OF_OWNER).fetchall():
        table = sql.Identifier(SCHEMA, name)
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, role))
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
    for kind in (sql.SQL("TABLES"), sql.SQL("SEQUENCES")):
        names = {"kind": kind, "schema": schema, "owner": owner}
        connection.execute(
            sql.SQL("GRANT ALL ON ALL {kind} IN SCHEMA {schema} TO {owner}").format(**names)
        )
        connection.execute(
            sql.SQL(
                "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON {kind} TO {owner}"
            ).format(**names)
        )
    connection.commit()


# ALTER TABLE also accepts views and sequences; a column's sequence follows its table.
_TABLES_OF_OWNER = f"""
    SELECT c.relname::text FROM pg_catalog.pg_class c
    WHERE c.relnamespace = to_regnamespace('{SCHEMA}') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND c.relowner = current_user::regrole
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
                        AND c.relkind = 'S' AND d.deptype IN ('a', 'i'))
    ORDER BY c.relkind, c.relname
"""


def _is_prepared(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        f"""
        SELECT n.oid IS NOT NULL
          AND has_schema_privilege('{_ROLE}', n.oid, 'CREATE')
          AND NOT EXISTS (SELECT FROM ({_TABLES_OF_OWNER}) AS left_over)
        FROM (SELECT to_regnamespace('{SCHEMA}')::oid AS oid) n
        """
    ).fetchone()
    return bool(row and row[0])


def _text(connection: psycopg.Connection[Any], query: str) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])
