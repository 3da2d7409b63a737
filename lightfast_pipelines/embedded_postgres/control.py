"""The control folder `<LIGHTFAST_HOME>/postgres` with the locks, log, identity and state of the server.

The data folder may be elsewhere; see `data_folder.py`.
"""

import json
import os
import pwd
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError
from lightfast_pipelines.embedded_postgres.private_folders import make_home, make_private

README = """\
The embedded Postgres of Lightfast Pipelines.

Database files: {place}
Log:            {log}

The server starts when a command needs it and stops some minutes after the last one has gone.
Removing LIGHTFAST_HOME removes this database; the next start makes an empty one.
"""


@dataclass(frozen=True)
class HomeIdentity:
    """Ties a data folder to a home; a home that is removed and recreated gets another id."""

    id: str
    uid: int
    place: str
    initialised: bool = False
    socket_dir: str | None = None


@dataclass(frozen=True)
class State:
    """The guardian's last report. Each report has a new `nonce`."""

    phase: str  # starting, ready, failed, stopped
    guardian_pid: int
    postmaster_pid: int | None = None
    socket_dir: str | None = None
    port: int = 5432
    message: str | None = None
    nonce: str = ""


class ControlFolder:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "postgres"
        self.users = self.folder / "users"
        self.guardian_lock = self.folder / "guardian.lock"
        self.server_lock = self.folder / "server.lock"
        self.stop_request = self.folder / "stop.json"
        self.log = self.folder / "postgres.log"
        self._identity = self.folder / "identity.json"
        self._state = self.folder / "state.json"

    def prepare(self) -> None:
        """Creates the folder and checks that it belongs to this user."""
        try:
            make_home(self.home)
            # As root: the server's own user must be able to pass through, but may read no file.
            mode = 0o711 if os.geteuid() == 0 else 0o700
            if not self.folder.exists():
                make_private(self.folder, mode)
            identity = self.identity()
            if self.folder.stat().st_uid == os.geteuid():
                make_private(self.folder, mode)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(13, "not writable", str(self.folder))
        except PermissionError as error:
            raise self._foreign(error) from error
        if identity is not None and identity.uid != os.geteuid():
            raise self.belongs_to(identity.uid)

    def belongs_to(self, uid: int) -> EmbeddedPostgresError:
        owner, me = user_name(uid), user_name(os.geteuid())
        return EmbeddedPostgresError(
            f"The embedded Postgres in {self.folder} belongs to user {owner}, and this process "
            f"runs as {me}. Run as {owner}, or set LIGHTFAST_HOME to a folder of {me}, "
            f"or remove {self.folder} as {owner} to lose that database and start afresh."
        )

    def _foreign(self, error: PermissionError) -> EmbeddedPostgresError:
        if self.folder.exists() and self.folder.stat().st_uid != os.geteuid():
            return self.belongs_to(self.folder.stat().st_uid)
        return EmbeddedPostgresError(
            f"Cannot use {self.folder} for the embedded Postgres: {error}. "
            f"Set LIGHTFAST_HOME to a folder that user {user_name(os.geteuid())} may write to."
        )

    def identity(self) -> HomeIdentity | None:
        saved = self._read(self._identity)
        return None if saved is None else HomeIdentity(**saved)

    def save_identity(self, identity: HomeIdentity) -> None:
        _write_json(self._identity, asdict(identity))
        (self.folder / "README.txt").write_text(README.format(place=identity.place, log=self.log))

    def state(self) -> State | None:
        saved = self._read(self._state)
        return None if saved is None else State(**saved)

    def save_state(self, state: State) -> None:
        _write_json(self._state, {**asdict(state), "nonce": secrets.token_hex(8)})

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            return _read_json(path)
        except PermissionError as error:
            raise self._foreign(error) from error

    def write_stop_request(self, request: Mapping[str, bool]) -> None:
        _write_json(self.stop_request, request)

    def read_stop_request(self) -> Mapping[str, bool] | None:
        return _read_json(self.stop_request)

    def log_tail(self, lines: int = 8) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return "(no log yet)"
        return "\n".join(text.splitlines()[-lines:])


def user_name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise EmbeddedPostgresError(
            f"{path} is damaged ({error}). Its writer replaces it as a whole, so something else wrote "
            f"to it: restore it from a backup, or remove {path.parent} to start with an empty database."
        ) from error
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes the file as a whole, so that other processes never read half of it."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
