"""Other users of the machine: what they can reach of the embedded server and of the home."""

import getpass
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from lightfast_pipelines.embedded_postgres import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.access import hand_over
from lightfast_pipelines.embedded_postgres.account import NAME, ServerAccount, server_account
from lightfast_pipelines.embedded_postgres.binaries import copied_binaries, installed_binaries
from lightfast_pipelines.embedded_postgres.private_folders import make_home, make_private
from tests.embedded_postgres.homes import Home, eventually

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.fixture
def psql(open_folder: Path) -> Path:
    """One that every user can run."""
    return copied_binaries(installed_binaries(), _nobody(), open_folder) / "bin" / "psql"


def _nobody() -> ServerAccount:
    return ServerAccount("nobody", NOBODY.pw_uid, NOBODY.pw_gid)


def _socket_dir(home: Home) -> Path:
    folder = home.server().status().socket_dir
    assert folder is not None
    return folder


def _data_dir(home: Home) -> Path:
    folder = home.server().status().data_dir
    assert folder is not None
    return folder


def _ask(psql: Path, socket_dir: Path, user: str, role: str) -> "subprocess.CompletedProcess[str]":
    entry = pwd.getpwnam(user)
    return subprocess.run(
        [psql, "-XAt", "-h", socket_dir, "-U", role, "-d", "postgres", "-c", "SELECT current_user"],
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def _open(path: Path) -> None:
    """Lets every user pass: what the modes of folders keep out is not what is tested."""
    for folder in (path, *path.parents):
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(0o755)


@only_root
def test_no_other_user_of_the_machine_can_connect_as_any_role(open_home: Home, psql: Path) -> None:
    open_home.acquire()
    [postmaster] = open_home.postmasters()
    assert postmaster.username() == NAME
    socket_dir = _socket_dir(open_home)
    assert _data_dir(open_home).owner() == socket_dir.owner() == NAME
    for user in ("nobody", "daemon"):
        assert "Permission denied" in _ask(psql, socket_dir, user, "postgres").stderr
    _open(socket_dir)
    for user in ("nobody", "daemon", NAME):
        for role in ("postgres", "lightfast_migrator", user):
            answer = _ask(psql, socket_dir, user, role)
            assert (answer.returncode, answer.stdout) == (2, "")
            assert "Peer authentication failed" in answer.stderr
    assert _ask(psql, socket_dir, "root", "postgres").stdout == "postgres\n"


def test_the_server_lists_only_its_own_user(home: Home) -> None:
    home.acquire()
    with psycopg.connect(home.leases[-1].url("postgres", "postgres")) as conn:
        rules = conn.execute("SELECT type, auth_method, options FROM pg_hba_file_rules").fetchall()
        users = conn.execute("SELECT sys_name, pg_username FROM pg_ident_file_mappings").fetchall()
    assert rules == [("local", "peer", ["map=lightfast"])]
    assert users == [(getpass.getuser(), "all")]


def _as_an_older_release_left_it(home: Home) -> None:
    """Owned by `nobody` if root ran it, and open to every local user."""
    for folder in (_data_dir(home), _socket_dir(home)):
        if folder.exists() and os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    hba = _data_dir(home) / "pg_hba.conf"
    hba.write_text("local all all trust\n")


@pytest.mark.parametrize("place", ["home", "open_home"])
def test_a_home_of_an_older_release_keeps_working_and_lets_only_its_user_connect(
    place: str, request: pytest.FixtureRequest
) -> None:
    home: Home = request.getfixturevalue(place)
    with psycopg.connect(home.acquire().url("postgres", "postgres")) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    home.close()
    home.leases.clear()
    _as_an_older_release_left_it(home)
    with psycopg.connect(home.acquire().url("postgres", "postgres")) as conn:
        assert conn.execute("SELECT seven FROM kept").fetchone() == (7,)
        assert conn.execute("SELECT auth_method FROM pg_hba_file_rules").fetchall() == [("peer",)]
    owner = NAME if os.geteuid() == 0 else getpass.getuser()
    assert {path.owner() for path in (_data_dir(home), *_data_dir(home).rglob("*"))} == {owner}


@only_root
def test_a_running_server_of_an_older_release_keeps_running_with_the_new_rules(
    open_home: Home, psql: Path
) -> None:
    url = open_home.acquire().url("postgres", "postgres")
    with psycopg.connect(url, autocommit=True) as conn:
        hba = _data_dir(open_home) / "pg_hba.conf"
        hba.write_text("local all all trust\n")
        conn.execute("SELECT pg_reload_conf()")
        before = open_home.postmasters()
        open_home.kill_guardian()
        open_home.acquire()
        assert open_home.postmasters() == before
    socket_dir = _socket_dir(open_home)

    def is_refused() -> bool:
        _open(socket_dir)
        return "Peer" in _ask(psql, socket_dir, "nobody", "postgres").stderr

    eventually(is_refused)


@only_root
def test_a_file_with_a_second_name_is_not_handed_over(open_folder: Path) -> None:
    """Whoever owned the folder could have linked any file of the machine into it."""
    theirs, ours = open_folder / "data", open_folder / "secret"
    theirs.mkdir()
    ours.write_text("of root")
    (theirs / "base").mkdir()
    (theirs / "base" / "1").hardlink_to(ours)
    (theirs / "link").symlink_to(ours)
    with pytest.raises(EmbeddedPostgresError, match=r"base/1 has another name .* Remove"):
        hand_over(theirs, _nobody())
    assert ours.stat().st_uid == 0
    assert theirs.stat().st_uid == 0, "it is not theirs again before all is done"
    (theirs / "base" / "1").unlink()
    hand_over(theirs, _nobody())
    assert (theirs.owner(), (theirs / "base").owner(), ours.owner()) == ("nobody", "nobody", "root")


@only_root
def test_the_error_says_what_to_do_if_the_user_cannot_be_created() -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"could not be made .*useradd --system"):
        server_account("No:User")
    with pytest.raises(EmbeddedPostgresError, match=r"that user is root itself"):
        server_account("root")


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_the_home_is_closed_whatever_the_umask_and_its_former_mode(
    open_folder: Path, umask: Callable[[int], int], before: int | None
) -> None:
    umask(0)
    home = Home(open_folder / "above" / "home")
    if before is not None:
        home.path.mkdir(parents=True)
        home.path.chmod(before)
        (home.path / "postgres").mkdir()
        (home.path / "postgres").chmod(before)
    try:
        home.acquire()
        if before is None:
            assert stat.S_IMODE(home.path.parent.stat().st_mode) == 0o755
        wrong = {}
        for path in (home.path, *home.path.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            passable = 0o011 if path.is_dir() and os.geteuid() == 0 else 0
            inside = any(
                not parent.stat().st_mode & 0o077
                for parent in path.parents
                if parent.is_relative_to(home.path)
            )
            if mode & 0o077 & ~passable and not inside:
                wrong[path] = oct(mode)
        assert not wrong
    finally:
        home.remove()


def test_a_folder_that_others_need_keeps_its_mode(
    open_folder: Path, umask: Callable[[int], int]
) -> None:
    umask(0)
    everybodys = open_folder / "tmp"
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    make_home(everybodys)
    assert stat.S_IMODE(everybodys.stat().st_mode) == 0o1777
    logs = everybodys / "logs"
    logs.mkdir()
    make_private(logs)
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
    shutil.rmtree(logs)
    make_private(logs)
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
