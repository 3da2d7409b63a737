"""Measures the running pipeline: its tables, Dagster's, and the files of the embedded server."""

from __future__ import annotations

from datetime import datetime

import psycopg

from lightfast_pipelines.domain.health import Figure
from lightfast_pipelines.embedded_postgres.disk import disk_use
from lightfast_pipelines.inbox.rule_versions import CLUSTER_RULES
from lightfast_pipelines.store.dagster_storage import (
    LoadOfDagster,
    dagster_storage,
    load_of_dagster,
)
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.health import ServerFiles, measure


def measure_health(
    database: Database, conn: Connection, *, model: str, now: datetime
) -> list[Figure]:
    """All figures that can be read from here; `model` is the name of the local embedder."""
    return measure(
        conn,
        now=now,
        model=model,
        cluster_rules=CLUSTER_RULES,
        files=_files(database, conn),
        dagster=_load(database, now),
    )


def _files(database: Database, conn: Connection) -> ServerFiles:
    if database.home is not None:
        use = disk_use(database.home)
        return ServerFiles(*use) if use else ServerFiles()
    row = conn.execute("SELECT has_function_privilege('pg_ls_waldir()', 'EXECUTE')").fetchone()
    if not row or not row[0]:
        return ServerFiles()
    size = conn.execute("SELECT sum(size)::bigint FROM pg_ls_waldir()").fetchone()
    return ServerFiles(wal=size[0] if size else None)


def _load(database: Database, now: datetime) -> LoadOfDagster | None:
    """None where Dagster's storage is not there: the memory also works without Dagster."""
    try:
        with dagster_storage(database) as storage:
            return load_of_dagster(storage, now) if storage is not None else None
    except psycopg.OperationalError:
        return None
