"""Places and creates (by initdb) the database files of a home; runs in the guardian only.

Also chooses the socket folder and removes the files of homes that no longer exist.
"""

import dataclasses
import json
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lightfast_pipelines.embedded_postgres import locks
from lightfast_pipelines.embedded_postgres.access import hand_over, write_access_files
from lightfast_pipelines.embedded_postgres.account import (
    ServerAccount,
    can_walk_to,
    owner_of,
    server_account,
)
from lightfast_pipelines.embedded_postgres.binaries import (
    MAJOR,
    can_run,
    copied_binaries,
    installed_binaries,
)
from lightfast_pipelines.embedded_postgres.control import ControlFolder, HomeIdentity
from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.postmaster import processes_in
from lightfast_pipelines.embedded_postgres.private_folders import make_private
from lightfast_pipelines.embedded_postgres.settings import PORT

# Only root uses these; not /tmp, because the data must survive a reboot.
SHARED_FOLDERS = tuple(
    Path(base) / "lightfast-postgres" for base in ("/var/lib", "/opt", "/usr/local/var")
)
# The kernel allows 108 bytes on Linux and 104 on macOS; its error is only "invalid argument".
LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class DatabaseFiles:
    place: Path
    socket_dir: Path
    binaries: Path
    account: ServerAccount | None

    @property
    def data_dir(self) -> Path:
        return self.place / "data"


def prepare_cluster(control: ControlFolder, settings: Mapping[str, str]) -> DatabaseFiles:
    """Creates whatever is missing; an existing data folder stays as it is."""
    identity = control.identity()
    if identity is None:
        identity = _new_identity(control)
        control.save_identity(identity)
    if identity.uid != os.geteuid():
        raise control.belongs_to(identity.uid)
    place = Path(identity.place)
    account = _account(control, place)
    _make_place(control, place, account)
    binaries = installed_binaries()
    if account is not None and not can_run(binaries, account):
        binaries = copied_binaries(binaries, account, _shared_folder(account))
    data_dir = place / "data"
    if data_dir.exists():
        _check_version(data_dir)
    elif identity.initialised:
        raise EmbeddedPostgresError(
            f"The database files of {control.home} are gone: {data_dir} does not exist any more. "
            f"Restore it, or remove {control.folder} to start with an empty database."
        )
    else:
        _initdb(data_dir, binaries, account, settings)
    write_access_files(data_dir, account)
    socket_dir = _socket_dir(identity, account)
    control.save_identity(
        dataclasses.replace(identity, initialised=True, socket_dir=str(socket_dir))
    )
    return DatabaseFiles(place, socket_dir, binaries, account)


def _account(control: ControlFolder, place: Path) -> ServerAccount | None:
    """The user that the server runs as; None: the current user. Files of an older release, which ran as
    another user (`nobody`), are handed over, or at the next start if that server still runs."""
    account = server_account()
    data_dir = place / "data"
    if account is None or not data_dir.exists() or data_dir.stat().st_uid == account.uid:
        return account
    lock_fd = locks.try_lock(control.server_lock, shared=False)
    if lock_fd is None:
        return owner_of(data_dir)
    try:
        for folder in (place / "socket", data_dir):
            if folder.exists():
                hand_over(folder, account)
    finally:
        os.close(lock_fd)
    return account


def remove_abandoned_places() -> Iterator[Path]:
    """Removes, and yields, database files outside their home if the home certainly no longer exists."""
    for shared in SHARED_FOLDERS if os.geteuid() == 0 else ():
        for note in shared.glob("*/home.json"):
            if _is_abandoned(note):
                # The note goes last, so that an interrupted removal is finished another time.
                shutil.rmtree(note.parent / "data", ignore_errors=True)
                shutil.rmtree(note.parent, ignore_errors=True)
                yield note.parent


def _is_abandoned(note: Path) -> bool:
    try:
        noted = json.loads(note.read_text())
        home = Path(noted["home"])
        identity = ControlFolder(home).identity()
        nearest = next(folder for folder in (home, *home.parents) if folder.exists())
        device = nearest.stat().st_dev
    except (OSError, ValueError, EmbeddedPostgresError):
        return False
    # A home on a volume that is not mounted looks removed, but its folder is on another device.
    return (
        device == noted["device"]
        and (identity is None or identity.id != note.parent.name)
        and not processes_in(note.parent / "data")
    )


def _new_identity(control: ControlFolder) -> HomeIdentity:
    fresh = secrets.token_hex(6)
    account = server_account()
    inside = account is None or can_walk_to(control.folder, account)
    base = control.folder if inside or account is None else _shared_folder(account)
    return HomeIdentity(id=fresh, uid=os.geteuid(), place=str(base / fresh))


def _shared_folder(account: ServerAccount) -> Path:
    """The first folder outside any home that root can write and the server's user can reach."""
    for folder in SHARED_FOLDERS:
        try:
            folder.mkdir(mode=0o755)
            folder.chmod(0o755)
        except FileExistsError:
            if folder.is_symlink() or folder.stat().st_uid != 0:
                continue
        except OSError:
            continue
        if can_walk_to(folder, account):
            return folder
    raise EmbeddedPostgresError(
        f"User {account.name}, which runs Postgres because root may not, can reach none of "
        f"{', '.join(map(str, SHARED_FOLDERS))}. Set LIGHTFAST_HOME to a folder that every user "
        "may pass through, run as an ordinary user, or set LIGHTFAST_DATABASE_URL to another server."
    )


def _make_place(control: ControlFolder, place: Path, account: ServerAccount | None) -> None:
    make_private(place, 0o700 if account is None else 0o711)
    if account is None:
        return
    place.chmod(0o711)  # again, as an earlier start may have been interrupted
    if place.parent != control.folder:
        note = {"home": str(control.home), "device": control.home.stat().st_dev}
        (place / "home.json").write_text(json.dumps(note))
    if not can_walk_to(place, account):
        raise EmbeddedPostgresError(
            f"User {account.name}, which runs Postgres because root may not, cannot reach "
            f"{place} any more: a folder above it was closed to other users. "
            "Open it again (chmod o+x) or set another LIGHTFAST_HOME."
        )


def _check_version(data_dir: Path) -> None:
    version = (data_dir / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise EmbeddedPostgresError(
            f"{data_dir} was made by Postgres {version}, and the installed binaries are of Postgres "
            f"{MAJOR}. Install the release of Lightfast Pipelines that made it, or move the data by pg_dump."
        )


def _initdb(
    data_dir: Path, binaries: Path, account: ServerAccount | None, settings: Mapping[str, str]
) -> None:
    """Works on a draft that is renamed when complete, so that a start may be killed half way."""
    for leftover in data_dir.parent.glob("draft-*"):
        shutil.rmtree(leftover)
    draft = data_dir.with_name(f"draft-{secrets.token_hex(4)}")
    _make_private(draft, account)
    command: list[str | Path] = [
        binaries / "bin" / "initdb",
        "-D",
        draft,
        "-U",
        "postgres",
        "--auth-local=peer",
        "--auth-host=reject",
        "--encoding=UTF8",
    ]
    # The builtin provider offers C.UTF-8 on systems that lack it, such as macOS.
    command += [
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--data-checksums",
    ]
    if settings.get("fsync") == "off":
        command.append("--no-sync")
    initdb = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        check=False,
    )
    if initdb.returncode != 0:
        shutil.rmtree(draft)
        raise EmbeddedPostgresError(
            f"initdb could not make {data_dir}:\n{initdb.stdout.decode(errors='replace')}\n"
            "Fix what it names (often a full disk) and start again."
        )
    draft.rename(data_dir)


def _socket_dir(identity: HomeIdentity, account: ServerAccount | None) -> Path:
    """The same folder for the life of a home, because long-running clients reconnect to its address."""
    beside = Path(identity.place) / "socket"
    if _fits(beside):
        if not beside.exists():
            _make_private(beside, account)
        beside.chmod(0o700)  # nobody else can create it, but its mode may have been changed
        return beside
    earlier_folders = [Path(identity.socket_dir)] if identity.socket_dir else []
    base = Path(tempfile.gettempdir())
    if not _fits(base / f"lightfast-{identity.id}-9"):
        base = Path("/tmp")  # noqa: S108 - the folder in it is private, and its owner is checked
    new_folders = [
        base / f"lightfast-{identity.id}{suffix}"
        for suffix in ("", *(f"-{n}" for n in range(2, 10)))
    ]
    return _claim(earlier_folders + new_folders, account)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH


def _claim(candidates: list[Path], account: ServerAccount | None) -> Path:
    """The first folder that can be created or is already private: anyone can create one in /tmp."""
    uid = account.uid if account else os.geteuid()
    for folder in candidates:
        try:
            _make_private(folder, account)
        except FileExistsError:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or status.st_mode & 0o077:
                continue
        return folder
    raise EmbeddedPostgresError(
        f"No folder for the server's socket: {', '.join(map(str, candidates))} exist and belong "
        "to someone else. Remove them or set TMPDIR to a folder of your own."
    )


def _make_private(folder: Path, account: ServerAccount | None) -> None:
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
