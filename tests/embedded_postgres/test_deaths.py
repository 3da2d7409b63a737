"""Killing any of the processes with -9 loses no row and leaves no second server."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.embedded_postgres.homes import Home, eventually, gone


@pytest.fixture
def keep_rows(home: Home) -> str:
    """The address of a server that syncs, with one committed row."""
    url = home.acquire(fsync="on").url("postgres", "postgres")
    with psycopg.connect(url) as connection:
        connection.execute("drop table if exists kept")
        connection.execute("create table kept as select 1 as number")
    return url


def _reads_its_row(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("select number from kept").fetchall() == [(1,)]
    except psycopg.OperationalError:
        return False


def test_a_killed_postgres_is_restarted_and_keeps_its_rows(home: Home, keep_rows: str) -> None:
    guardians = home.guardians()
    home.kill_postgres()
    assert home.acquire().url("postgres", "postgres") == keep_rows
    assert _reads_its_row(keep_rows)
    assert len(home.postmasters()) == 1
    assert home.guardians() == guardians


def test_killing_postgres_during_a_computation_starts_no_second_server(
    home: Home, keep_rows: str
) -> None:
    with psycopg.connect(keep_rows) as connection:
        pid = connection.info.backend_pid
        # Frozen, so it does not notice that its postmaster died.
        os.kill(pid, signal.SIGSTOP)
        home.kill_postgres()
        eventually(lambda: f"[{pid}], left over from a dead postmaster" in _log(home))
        eventually(lambda: _reads_its_row(keep_rows))
        connection.close()
    assert len(home.postmasters()) == 1


def test_killing_the_guardian_disconnects_nobody_and_the_next_one_adopts_the_server(
    home: Home, keep_rows: str
) -> None:
    with psycopg.connect(keep_rows) as connection:
        [before] = home.postmasters()
        killed = home.state()["guardian_pid"]
        home.kill_guardian()
        home.acquire()
        eventually(lambda: home.state()["guardian_pid"] != killed)
        eventually(lambda: home.state()["phase"] == "ready")
        assert len(home.guardians()) == 1
        assert connection.execute("select number from kept").fetchall() == [(1,)]
        assert home.postmasters() == [before]
    for lease in home.leases:
        lease.release()
    assert eventually(lambda: home.server().stop())
    assert gone(before)


def test_a_lease_replaces_a_killed_guardian(home: Home, keep_rows: str) -> None:
    home.kill_guardian()
    home.kill_postgres()
    eventually(lambda: _reads_its_row(keep_rows))


def test_killing_everything_keeps_the_rows_for_the_next_start(home: Home, keep_rows: str) -> None:
    for lease in home.leases:
        lease.release()
    home.kill_guardian()
    home.kill_postgres()
    assert home.acquire().url("postgres", "postgres") == keep_rows
    assert _reads_its_row(keep_rows)


def test_a_server_without_a_guardian_can_be_stopped(home: Home) -> None:
    home.acquire().release()
    [postmaster] = home.postmasters()
    home.kill_guardian()
    assert home.server().stop()
    assert gone(postmaster)


@pytest.mark.parametrize("name", ["sleep", "postgres"])
def test_a_stale_pid_file_never_makes_it_signal_another_program(
    home: Home, open_folder: Path, name: str
) -> None:
    with home.acquire() as lease:
        url = lease.url("postgres", "postgres")
    assert home.server().stop()
    status = home.server().status()
    assert status.data_dir is not None
    assert status.socket_dir is not None
    owner = status.data_dir.stat().st_uid
    program = shutil.copy(shutil.which("sleep") or "sleep", open_folder / name)
    stranger = subprocess.Popen(
        [program, "1000"], user=owner if os.geteuid() == 0 else None, cwd=open_folder
    )
    try:
        content = f"{stranger.pid}\n{status.data_dir}\n1\n5432\n{status.socket_dir}\n"
        for file in (status.data_dir / "postmaster.pid", status.socket_dir / ".s.PGSQL.5432.lock"):
            # A short socket folder is removed with its server.
            if file.parent.exists():
                file.write_text(content)
                os.chown(file, owner, -1)
        home.acquire()
        with psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert "removed a stale postmaster.pid" in _log(home)
        assert home.server().stop(force=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _log(home: Home) -> str:
    return (home.path / "postgres/postgres.log").read_text()
