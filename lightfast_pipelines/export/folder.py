"""The folder of an export: whose it is, who may write into it now, and where its files are.

    DIR/manifest.json                              what the folder is, and the views' versions
    DIR/views.sql                                  the views again, for DuckDB
    DIR/_schema/changes.parquet                    the columns of a view, without rows
    DIR/ORG/WORKSPACE/manifest.json                the files of a workspace, with a hash of their rows
    DIR/ORG/WORKSPACE/changes/day=2026-05-01/part.parquet
    DIR/ORG/WORKSPACE/people/part.parquet          a view without a main time

A folder for each workspace, so that a bucket's or a file system's rights can follow the tenants.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lightfast_pipelines.embedded_postgres.locks import try_lock
from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.reading import Day

FORMAT = "lightfast export 1"
MANIFEST = "manifest.json"
SCHEMAS = "_schema"
STAGED = ".staged"
FILE = "part.parquet"
_LOCK = ".lock"
_LONGEST_NAME = 200


@contextmanager
def opened_folder(folder: Path) -> Iterator[dict[str, Any]]:
    """Holds the folder's lock and yields its manifest, which is empty for a new one.

    Raises ExportError if something else is in the folder, or another export is at work.
    """
    _check_ours(folder)
    # A new one is its user's alone: the rows hold what people wrote, and a umask often lets all read.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = try_lock(folder / _LOCK, shared=False)
    if lock is None:
        raise ExportError(f"another export into {folder} is at work: wait until it has ended")
    try:
        yield read_json(folder / MANIFEST)
    finally:
        os.close(lock)


def _check_ours(folder: Path) -> None:
    if not folder.exists():
        if folder.is_symlink():
            raise ExportError(
                f"{folder} is a link to a folder that is not there: repair it or name a folder"
            )
        return
    if not folder.is_dir():
        raise ExportError(f"{folder} is a file: name a folder")
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format") == FORMAT:
        return
    if "lightfast" in str(manifest.get("format")):
        raise ExportError(
            f"{folder} was written by another version ({manifest['format']}): name a new folder"
        )
    # What an export leaves that is killed before its first manifest.
    own = {_LOCK, _beside(folder / MANIFEST).name}
    found = sorted({entry.name for entry in folder.iterdir()} - own)
    if found:
        raise ExportError(
            f"{folder} holds something else ({found[0]}): name a new folder or an empty one"
        )


def claim(folder: Path, manifest: dict[str, Any], database: str) -> None:
    """Makes the folder that of this database. Raises ExportError if it is another's.

    Otherwise the workspaces of one would be taken for deleted ones of the other.
    """
    owner = manifest.setdefault("database", database)
    if owner != database:
        raise ExportError(
            f"{folder} was exported from another database: name a new folder, or delete this one first"
        )
    if "format" not in manifest:
        manifest["format"] = FORMAT
        write_json(folder / MANIFEST, manifest)


def workspace_folder(org_id: str, slug: str) -> Path:
    """The folder of a workspace within that of the export, such as `default/acme`."""
    return Path(_name(org_id), _name(slug))


def _name(text: str) -> str:
    """A name that any file system takes, and that differs for different texts."""
    name = quote(text, safe=" ")
    if name[:1] in "._":  # readers pass over such names, and `..` is another folder
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) <= _LONGEST_NAME:
        return name
    from hashlib import sha256

    return f"%%{sha256(text.encode()).hexdigest()}"


def file_of(day: Day) -> str:
    """The path of a day's file within the folder of its view."""
    return FILE if day is None else f"day={day.isoformat()}/{FILE}"


def files_in(view_folder: Path) -> dict[str, int]:
    """The path of each file of a view that is there, with its size."""
    paths = [view_folder / FILE, *view_folder.glob(f"day=*/{FILE}")]
    return {
        path.relative_to(view_folder).as_posix(): path.stat().st_size
        for path in paths
        if path.is_file()
    }


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty if there is none, or nothing that is one."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replaces the file at once."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replaces the file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        put_in_place(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _beside(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}.tmp")


def put_in_place(written: Path, path: Path) -> None:
    """Gives a file that is written its name, once its bytes are on disk. The folder is not synced."""
    sync(written)
    written.replace(path)


def sync(path: Path) -> None:
    """Waits until the file or the folder is on disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_empty(folder: Path) -> None:
    """Removes the folder if nothing is in it."""
    with suppress(OSError):  # something is in it, or it is gone
        folder.rmdir()
