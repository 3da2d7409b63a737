"""An export reads with the analyst's rights, or with the pipeline's where a process has no login for them."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.export.reading_back import VIEWS, as_owner, by_duckdb, by_sql, exported
from tests.providers.github import payloads as github


def test_the_analysts_role_reads_every_view_and_decides_what_can_be_exported(
    database: Database, tmp_path: Path
) -> None:
    exported(database, tmp_path / "all")
    as_owner(database, "REVOKE SELECT ON lightfast.changes FROM lightfast_analyst")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        exported(database, tmp_path / "refused")


def test_a_process_with_the_pipelines_login_alone_exports_too(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    workspace_with(conn, "shop", 1)
    receive(conn, [delivery("issues", github.issue("opened", 1))])
    capture_all(conn)
    alone = Database(own={"pipeline": database.url("pipeline")})
    assert exported(alone, tmp_path).written
    assert by_duckdb(tmp_path, VIEWS["changes"]) == by_sql(conn, VIEWS["changes"]) != []
