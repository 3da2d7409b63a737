"""The analyst's connection: its role, its sessions, and the server that it keeps running."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import lightfast_pipelines.read as lf
from lightfast_pipelines import settings as settings_module
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
from lightfast_pipelines.read import analyst_connection
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.logins import Role
from lightfast_pipelines.store.migrate import MigrationError

SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'lightfast-read'
"""


def sessions(database: Database) -> int:
    with database.connect("migrator") as owner:
        row = owner.execute(SESSIONS).fetchone()
    assert row is not None
    return int(row[0])


def test_it_reads_as_the_analyst_and_writes_nothing(memory: lf.AnalystConnection) -> None:
    assert lf.query("SELECT current_user::text AS who", on=memory)["who"][0] == "lightfast_analyst"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        lf.query("SELECT * FROM lightfast.raw_bodies", on=memory)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        lf.query("CREATE TEMP TABLE t ()", on=memory)


def test_a_failed_question_does_not_disturb_the_next(memory: lf.AnalystConnection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        lf.query("SELECT 1 / 0", on=memory)
    assert lf.query("SELECT 1 AS n", on=memory)["n"][0] == 1


def test_what_a_question_sets_is_undone(memory: lf.AnalystConnection) -> None:
    lf.query("SELECT set_config('timezone', 'Asia/Tokyo', false)", on=memory)
    assert lf.query("SHOW timezone", on=memory).iloc[0, 0] == "UTC"


def test_a_forked_process_leaves_its_parents_sessions_alone(memory: lf.AnalystConnection) -> None:
    def own_session() -> int:
        return int(lf.query("SELECT pg_backend_pid() AS pid", on=memory)["pid"][0])

    parents = own_session()
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(sending, str(own_session()).encode())
            memory.close()
        finally:
            os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as answer:
        assert int(answer.read()) != parents
    os.waitpid(child, 0)
    assert own_session() == parents


def test_questions_one_after_another_share_a_session(
    memory: lf.AnalystConnection, database: Database
) -> None:
    for _ in range(3):
        lf.table("workspaces", on=memory)
    assert sessions(database) == 1


def test_threads_may_ask_at_once(memory: lf.AnalystConnection) -> None:
    together = threading.Barrier(4)

    def ask(number: int) -> list[int]:
        read = []
        for chunk in lf.query(
            "SELECT generate_series(1, 40) * %s AS n", [number], chunks=10, on=memory
        ):
            together.wait(timeout=60)  # all four are in the midst of their answers
            read += chunk["n"].tolist()
        return read

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(1, 5)))
    assert answers == [[n * number for n in range(1, 41)] for number in range(1, 5)]


def test_chunks_that_are_left_give_their_session_back(
    memory: lf.AnalystConnection, database: Database
) -> None:
    for _ in range(3):
        chunks = lf.query("SELECT generate_series(1, 100)", chunks=10, on=memory)
        next(chunks)
        del chunks
        gc.collect()
    assert sessions(database) == 1


def test_another_question_can_be_asked_between_chunks(memory: lf.AnalystConnection) -> None:
    sums = [
        int(lf.query("SELECT %s + 1 AS n", [len(chunk)], on=memory)["n"][0])
        for chunk in lf.query("SELECT generate_series(1, 25)", chunks=10, on=memory)
    ]
    assert sums == [11, 11, 6]


def test_a_session_that_the_server_ended_is_replaced(
    memory: lf.AnalystConnection, database: Database
) -> None:
    lf.query("SELECT 1", on=memory)
    with database.connect("analyst") as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'lightfast-read'"
        )
    assert lf.query("SELECT 1 AS n", on=memory)["n"][0] == 1


def test_a_closed_connection_says_so(database: Database) -> None:
    with lf.connect(database.url("analyst")) as memory:
        lf.query("SELECT 1", on=memory)
        left = lf.query("SELECT generate_series(1, 100)", chunks=10, on=memory)
        next(left)
    memory.close()
    with pytest.raises(lf.ReadError, match=r"closed: open another with lf\.connect"):
        lf.query("SELECT 1", on=memory)
    with pytest.raises(psycopg.OperationalError):
        next(left)
    assert "closed" in repr(memory)


def test_a_connection_that_nobody_holds_any_more_is_closed(database: Database) -> None:
    memory = lf.connect(database.url("analyst"))
    sessions_of_it = memory._sessions
    lf.query("SELECT 1", on=memory)
    del memory
    gc.collect()
    assert sessions_of_it._closed
    assert not sessions_of_it._all


def test_it_keeps_the_embedded_server_running_and_no_longer(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = EmbeddedPostgres(home)
    with server.acquire():
        pass
    with lf.connect(home=home) as memory:
        assert lf.query("SELECT 1 AS n", on=memory)["n"][0] == 1
        assert server.status().users == 1
        assert not server.stop()
    assert server.status().users == 0
    assert server.stop()


def test_a_home_without_a_database_is_not_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in (
        "DATABASE_URL",
        "ANALYST_DATABASE_URL",
        "PIPELINE_DATABASE_URL",
        "RECEIVER_DATABASE_URL",
    ):
        monkeypatch.delenv(f"LIGHTFAST_{variable}", raising=False)
    monkeypatch.setenv("LIGHTFAST_HOME", str(tmp_path / "none"))
    for home in (None, tmp_path / "none"):
        with pytest.raises(
            lf.ReadError, match=r"no database in .*none: set LIGHTFAST_HOME or home="
        ):
            lf.connect(home=home)
    assert not (tmp_path / "none").exists()
    settings_module.settings.cache_clear()


@pytest.mark.parametrize(
    ("variable", "role"),
    [("LIGHTFAST_DATABASE_URL", "migrator"), ("LIGHTFAST_ANALYST_DATABASE_URL", "analyst")],
)
def test_the_configured_database_is_the_default(
    database: Database, monkeypatch: pytest.MonkeyPatch, variable: str, role: Role
) -> None:
    monkeypatch.setenv(variable, database.url(role))
    monkeypatch.setattr(analyst_connection, "_default", None)
    assert lf.query("SELECT current_user::text AS who")["who"][0] == "lightfast_analyst"
    opened = analyst_connection.default_connection()
    assert analyst_connection.default_connection() is opened
    assert lf.tables()["table"].tolist() == lf.tables(on=opened)["table"].tolist()
    opened.close()
    settings_module.settings.cache_clear()


def test_address_and_home_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(lf.ReadError, match="not both"):
        lf.connect("postgresql://localhost/x", tmp_path)


@pytest.mark.parametrize("address", ["localhost password=hunter2", "postgresql://a:hunter2@x:y/d"])
def test_a_wrong_address_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(
        lf.ReadError, match=r"address must be .*postgresql://USER:PASSWORD"
    ) as wrong:
        lf.connect(address)
    assert "hunter2" not in str(wrong.value)
    assert wrong.value.__context__ is None


def test_a_database_without_the_schema_is_refused(database: Database) -> None:
    with database.connect("migrator", autocommit=True) as owner:
        owner.execute("DROP SCHEMA lightfast CASCADE")
    with pytest.raises(MigrationError, match="at revision none"):
        lf.connect(database.url("analyst"))


def test_a_view_that_was_made_meanwhile_is_found(
    memory: lf.AnalystConnection, database: Database
) -> None:
    with pytest.raises(lf.ReadError):
        lf.table("busy_days", on=memory)
    with database.connect("migrator") as owner:
        owner.execute("CREATE VIEW lightfast.busy_days AS SELECT current_date AS day, 3 AS changes")
        owner.execute("GRANT SELECT ON lightfast.busy_days TO lightfast_analyst")
    assert lf.table("busy_days", since="1 day", on=memory)["changes"].tolist() == [3]


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = (
        "{'pandas', 'numpy', 'sqlalchemy', 'alembic', 'dagster', 'matplotlib', 'pyarrow', 'duckdb'}"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, lightfast_pipelines.read; print({heavy} & set(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
