"""Lets only the user who runs the embedded server connect to it; the kernel identifies that user.

Writes the server's access files, and hands data files over to the user that the server runs as.
"""

import os
import pwd
import secrets
import stat
from pathlib import Path

from lightfast_pipelines.embedded_postgres.account import ServerAccount
from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError

_MAP = "lightfast"
_HBA = f"""\
# Written at each start. There is no network port. The kernel says which user of this machine connects
# to the socket, and pg_ident.conf says which users may connect.
local all all peer map={_MAP}
"""


def write_access_files(data_dir: Path, account: ServerAccount | None) -> None:
    """Allows this process's user every role, and no other user of the machine any."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise EmbeddedPostgresError(
            f"User {os.geteuid()} has no name on this machine, and the server knows its users by "
            "name. Add the user to /etc/passwd, or set LIGHTFAST_DATABASE_URL to another server."
        ) from error
    quoted = name.replace('"', '""')
    _write(data_dir / "pg_hba.conf", _HBA, account)
    _write(data_dir / "pg_ident.conf", f'{_MAP} "{quoted}" all\n', account)


def hand_over(folder: Path, account: ServerAccount) -> None:
    """Gives a folder and its contents to the account. Call only while no server works in it.

    The former owner may be a user that runs other programs too (`nobody`), and who could swap a file for
    a link while root changes the owner. So each folder is closed before its entries are read, no link
    is followed, and a file with a second name is refused. The folder itself is handed over last, so
    that an interrupted call is repeated.
    """
    root = ServerAccount("root", 0, 0)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(fd, 0o700)
        os.fchown(fd, root.uid, root.gid)
        _hand_over_entries(fd, folder, account)
        os.fchown(fd, account.uid, account.gid)
    finally:
        os.close(fd)


def _hand_over_entries(parent: int, path: Path, account: ServerAccount) -> None:
    for name in os.listdir(parent):
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            os.chown(name, account.uid, account.gid, dir_fd=parent, follow_symlinks=False)
            continue
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                raise EmbeddedPostgresError(
                    f"{path / name} has another name elsewhere on the machine, so it is not given to "
                    f"user {account.name}. Remove the other name, or replace the file by a copy of it."
                )
            os.fchown(fd, account.uid, account.gid)
            if stat.S_ISDIR(status.st_mode):
                _hand_over_entries(fd, path / name, account)
        finally:
            os.close(fd)


def _write(path: Path, text: str, account: ServerAccount | None) -> None:
    """Replaces the file as a whole, so that a server that reloads it never reads half of it."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        if account is not None:
            os.fchown(fd, account.uid, account.gid)
        file.write(text)
    draft.replace(path)
