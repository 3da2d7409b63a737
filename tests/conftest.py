"""Fixtures of every test: a real Postgres, databases copied from a migrated template, ../shared."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from lightfast_pipelines.embedded_postgres import EmbeddedPostgres, Lease
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.migrate import migrate
from tests import depth  # noqa: F401 - registers hypothesis's profiles
from tests.programs import Programs, programs_of_a_test


def pytest_configure() -> None:
    """Stops ignoring SIGINT and SIGQUIT, which a shell makes its background jobs ignore.

    Dagster gives SIGTERM the handler of SIGINT: if that is ignored, what a run starts cannot be
    terminated, and each run waits for 30 seconds.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


settings.load_profile("quick")

# Tests use days of any year, so partitions begin before all of them.
os.environ.setdefault("LIGHTFAST_PARTITIONS_START", "2008-01-01")

# Keys of the person who runs the tests would turn services on, and tests would send them things.
for _key in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PINECONE_API_KEY"):
    os.environ.pop(_key, None)

_TEMPLATE = "lightfast_template"
# Each worker's server takes a tenth of this.
_ROOM = 4 * 1024**3
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def no_dagster_instance_of_an_earlier_test() -> None:
    """Dagster remembers the instance entered last. If two are left in another order than they were
    entered, it remembers one that is gone, and no definitions can be loaded."""
    remembered = sys.modules.get("dagster._core.storage.defs_state.base")
    if remembered is not None:
        remembered._current_storage.set(None)


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts programs that end with the test, even if it fails."""
    with programs_of_a_test() as started:
        yield started


@pytest.fixture(scope="session")
def folder_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory if there is room, otherwise another temporary folder.

    Before ext4 creates a file, it checks all recently deleted ones. A database has 500 files, and
    hundreds of databases are created and dropped: that took two thirds of the tests' CPU time.
    """
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < _ROOM:
        yield tmp_path_factory.mktemp("postgres")
        return
    folder = Path(tempfile.mkdtemp(prefix="lightfast-tests-", dir=memory))
    # If root starts Postgres, it runs as another user, who must be able to reach the folder.
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(folder_in_memory: Path) -> Iterator[Lease]:
    """The embedded server of this test session; its template database is migrated."""
    server = EmbeddedPostgres(
        folder_in_memory,
        idle_seconds=5,
        # Tests lose nothing in a power cut. Autovacuum would change a plan in the middle of a test that
        # counts the rows read: such a test failed in one run of three.
        settings={
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
        },
    )
    lease = server.acquire()
    database = Database(lease=lease)
    with database.connect("migrator", autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {_TEMPLATE}")
    migrate(lease.url(database=_TEMPLATE, user="lightfast_migrator"), roles_log_in=True)
    yield lease
    lease.release()
    server.stop(force=True)


@pytest.fixture
def new_database(postgres: Lease) -> Iterator[Callable[[], Database]]:
    """Makes fresh migrated databases; they are dropped after the test."""
    names: list[str] = []

    def make() -> Database:
        name = f"test_{next(_numbers)}"
        with Database(lease=postgres).connect("migrator", autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        names.append(name)
        return Database(lease=postgres, name=name)

    yield make
    # As superuser: only that may drop a database by force while an autovacuum worker is in it.
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as conn:
        for name in names:
            conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    return new_database()


@pytest.fixture(scope="session")
def story_database(postgres: Lease) -> Iterator[Database]:
    """A database with the demo's story, captured and consolidated; no test may change it."""
    from bench.capture import process_all
    from tests.demo.test_story import play

    name = "test_story"
    with Database(lease=postgres).connect("migrator", autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    database = Database(lease=postgres, name=name)
    with database.connect("pipeline") as conn:
        play(conn)
        conn.commit()
    process_all(database)
    yield database
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """A connection with the pipeline's rights on a fresh database."""
    with database.connect("pipeline") as connection:
        yield connection


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded payloads and histories beside the checkout."""
    folder = Path(__file__).parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared with recorded payloads and histories is not beside this checkout")
    return folder
