"""Whenever an export ends early, every file is whole, and the next export puts right what is left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import parquet

from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.folder import opened_folder
from lightfast_pipelines.store.database import Connection, Database
from tests.export.reading_back import VIEWS, as_owner, by_duckdb, by_sql, exported, stamps
from tests.export.test_what_changed import folder as _folder
from tests.programs import Programs

folder = _folder

# An export that kills itself after a number of steps of a kind.
_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from lightfast_pipelines.export.run import Selection, export
from lightfast_pipelines.store.database import Database

kind, left = sys.argv[3], [int(sys.argv[4])]

def step(name):
    left[0] -= name == kind
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

export(Database(address=sys.argv[1]), Path(sys.argv[2]), Selection(), now=datetime.now(UTC), progress=step)
"""


def _change_titles(database: Database, title: str) -> None:
    as_owner(database, "UPDATE lightfast.observation_facts SET title = %s", title)


def _read_every_file(folder: Path) -> None:
    for path in folder.glob("*/*/*/**/*.parquet"):
        assert parquet.read_table(path, partitioning=None).num_rows > 0


def _assert_equal(folder: Path, conn: Connection) -> None:
    for view in VIEWS.values():
        assert by_duckdb(folder, view) == by_sql(conn, view), view.name


@pytest.mark.parametrize(
    ("kind", "steps"),
    [("staged", 2), ("renamed", 1), ("renamed", 4), ("removed", 1), ("removed", 2)],
)
def test_a_killed_export_leaves_whole_files_and_the_next_one_repairs(
    database: Database, conn: Connection, folder: Path, programs: Programs, kind: str, steps: int
) -> None:
    _change_titles(database, "aaaaaa")
    exported(database, folder)
    _change_titles(database, "bbbbbb")
    hidden = (
        "UPDATE lightfast.observation_facts SET is_deleted = %s WHERE occurred_at > '2026-05-04'"
    )
    as_owner(database, hidden, True)
    killed = programs.start(
        [sys.executable, "-c", _KILLED, database.url("migrator"), str(folder), kind, str(steps)]
    )
    assert killed.wait(timeout=60) == -signal.SIGKILL
    _read_every_file(folder)
    # The rows are what they were when the manifest was written last, and the files are not.
    _change_titles(database, "aaaaaa")
    as_owner(database, hidden, False)
    exported(database, folder)
    _assert_equal(folder, conn)
    assert list(folder.glob("**/*.tmp")) == []


@contextmanager
def _small_files(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size`: the kernel then fails a write as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_room_the_last_good_files_stay(
    database: Database, conn: Connection, folder: Path
) -> None:
    before, expected = stamps(folder), by_sql(conn, VIEWS["changes"])
    as_owner(
        database,
        "UPDATE lightfast.observation_facts SET content = (SELECT string_agg(md5(i::text || occurred_at), '') "
        "FROM generate_series(1, 3000) i) WHERE occurred_at > '2026-05-02'",
    )
    with (
        _small_files(40_000),
        pytest.raises(ExportError, match=r"no room for the new files in .*/out"),
    ):
        exported(database, folder)
    assert stamps(folder) == before
    assert list(folder.glob("**/*.tmp")) == []
    assert by_duckdb(folder, VIEWS["changes"]) == expected
    exported(database, folder)
    _assert_equal(folder, conn)


def test_two_exports_into_one_folder_do_not_mix(
    database: Database, folder: Path, tmp_path: Path
) -> None:
    with (
        opened_folder(folder),
        pytest.raises(ExportError, match=r"another export into .* is at work"),
    ):
        exported(database, folder)
    assert exported(database, folder).written == []


def test_the_lock_of_a_killed_export_is_free(database: Database, folder: Path) -> None:
    holder = (
        "import os, signal, sys; from pathlib import Path\n"
        "from lightfast_pipelines.export.folder import opened_folder\n"
        "with opened_folder(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", holder, str(folder)], check=False, env=os.environ, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert exported(database, folder).written == []
