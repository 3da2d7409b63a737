"""What only the superuser may do before migrations: the migrator role, two databases, extensions.

All of it is safe to repeat.
"""

from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from lightfast_pipelines.embedded_postgres.settings import PORT

MIGRATOR = "lightfast_migrator"
DATABASES = ("lightfast", "dagster")
# Installed if the binaries include them; in template1 too, so that later databases have them.
EXTENSIONS = ("vector", "btree_gist", "pg_trgm")


def connect(socket_dir: Path, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(
        host=str(socket_dir),
        port=PORT,
        user="postgres",
        dbname=database,
        application_name="lightfast guardian",
        autocommit=True,
        connect_timeout=30,
    )


def answers(socket_dir: str | Path, port: int = PORT) -> bool:
    """Whether the server accepts new connections: not while it starts, stops or recovers."""
    where = make_conninfo(host=str(socket_dir), port=port, user="postgres", dbname="postgres")
    return PGconn.ping(where.encode()) == Ping.OK


def bootstrap(socket_dir: Path) -> None:
    with connect(socket_dir, "postgres") as connection:
        roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
        if MIGRATOR not in roles:
            connection.execute(f"create role {MIGRATOR} login createrole createdb")
        databases = {row[0] for row in connection.execute("select datname from pg_database")}
    _add_extensions(socket_dir, "template1")
    for name in DATABASES:
        if name not in databases:
            with connect(socket_dir, "postgres") as connection:
                connection.execute(f"create database {name} owner {MIGRATOR} strategy file_copy")
    _add_extensions(socket_dir, "lightfast")


def _add_extensions(socket_dir: Path, database: str) -> None:
    with connect(socket_dir, database) as connection:
        missing = connection.execute(
            "select name from pg_available_extensions"
            " where installed_version is null and name = any(%s)",
            [list(EXTENSIONS)],
        )
        for (name,) in missing.fetchall():
            connection.execute(f"create extension if not exists {name}")
