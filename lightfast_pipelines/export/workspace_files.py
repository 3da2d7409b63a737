"""The files of one workspace: which have to be written again, and how they are replaced.

New files are written beside the old ones first and then renamed, so a reader finds whole files, whenever
the process ends. Before the first of them gets its name, the manifest forgets what they replace: the next
export then writes them again, even if the rows are what they were before this one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.folder import (
    MANIFEST,
    STAGED,
    file_of,
    files_in,
    put_in_place,
    read_json,
    remove_empty,
    sync,
    write_json,
)
from lightfast_pipelines.export.reading import Bounds, Content, Day
from lightfast_pipelines.export.schemas import ExportedView, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

# A row group is what a reader holds at once, and what this process does.
_GROUP_ROWS = 50_000
_GROUP_BYTES = 32 * 1024 * 1024

Progress = Callable[[str], None]
"""Told after each step: `staged` with a file, `renamed`, `removed`."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What is known about a file."""

    rows: int
    bytes: int
    hash: str


@dataclass(frozen=True, slots=True)
class Differences:
    """The files of a view that have to be written or removed, by day."""

    view: ExportedView
    write: Mapping[Day, Content]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.write or self.remove)


@dataclass(slots=True)
class WorkspaceFiles:
    """A workspace's folder and the manifest in it."""

    folder: Path
    name: str
    """organisation/slug"""
    entries: dict[str, dict[str, FileEntry]] = field(default_factory=dict)
    """View -> path -> entry, of the files that are there with the size that they should have."""
    versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, name: str) -> WorkspaceFiles:
        """Reads the manifest. Raises ExportError if the folder is another workspace's."""
        manifest = read_json(folder / MANIFEST)
        if manifest.get("workspace", name) != name:
            raise ExportError(
                f"{folder} holds {manifest['workspace']}, and this file system takes its name for that of "
                f"{name}: export them into different folders"
            )
        shutil.rmtree(folder / STAGED, ignore_errors=True)
        files = cls(folder, name)
        for view, described in manifest.get("views", {}).items():
            there = files_in(folder / view)
            files.versions[view] = described["version"]
            files.entries[view] = {
                path: entry
                for path, stated in described["files"].items()
                if there.get(path) == (entry := FileEntry(**stated)).bytes
            }
        return files

    def differences(
        self, view: ExportedView, contents: Mapping[Day, Content], bounds: Bounds
    ) -> Differences:
        """Compares what the view holds within the bounds with what the files hold."""
        entries = self.entries.get(view.name, {}) if self.is_of_version(view) else {}
        hashes = {path: entry.hash for path, entry in entries.items()}
        write = {
            day: content
            for day, content in contents.items()
            if hashes.get(file_of(day)) != content.hash
        }
        wanted = {file_of(day) for day in contents}
        gone = sorted(files_in(self.folder / view.name).keys() - wanted)
        return Differences(view, write, tuple(path for path in gone if day_of(path) in bounds))

    def is_of_version(self, view: ExportedView) -> bool:
        """Whether the view's files have the columns that files have now, or there are none."""
        return self.versions.get(view.name, view.version) == view.version

    def replace(
        self,
        changes: Iterable[Differences],
        read: Callable[[Differences], Iterator[tuple[Day, Iterator[pa.Table]]]],
        progress: Progress,
    ) -> None:
        """Writes the files that changed, then renames them all, then notes what they hold."""
        changes = [change for change in changes if change]
        if not changes:
            return
        staged: list[tuple[Path, Path]] = []
        written: dict[str, dict[str, FileEntry]] = {change.view.name: {} for change in changes}
        try:
            for change in changes:
                for day, tables in read(change):
                    target = self.folder / change.view.name / file_of(day)
                    temporary = self.folder / STAGED / f"{len(staged)}.tmp"
                    rows = _write_parquet(temporary, change.view, tables)
                    content = change.write[day]
                    if rows != content.rows:
                        raise ExportError(f"{target}: read {rows} rows of {content.rows}")
                    staged.append((temporary, target))
                    size = temporary.stat().st_size
                    written[change.view.name][file_of(day)] = FileEntry(rows, size, content.hash)
                    progress("staged")
                if missing := change.write.keys() - days_of(written[change.view.name]):
                    raise ExportError(f"{change.view.name}: no rows came for {missing}")
            self._forget(changes)
            for temporary, target in staged:
                target.parent.mkdir(parents=True, exist_ok=True)
                put_in_place(temporary, target)
                progress("renamed")
            self._remove(changes, progress)
            _sync_folders(self.folder, [target for _, target in staged])
        finally:
            shutil.rmtree(self.folder / STAGED, ignore_errors=True)
        for change in changes:
            self.versions[change.view.name] = change.view.version
            self.entries.setdefault(change.view.name, {}).update(written[change.view.name])
        self._write_manifest()

    def delete(self) -> None:
        """Removes the files and the folder, for a workspace that is no longer there."""
        for view in self.entries:
            with suppress(
                FileNotFoundError
            ):  # deleted by a former export that was killed, or by hand
                shutil.rmtree(self.folder / view)
        (self.folder / MANIFEST).unlink(missing_ok=True)
        remove_empty(self.folder)
        remove_empty(self.folder.parent)

    def _forget(self, changes: Iterable[Differences]) -> None:
        for change in changes:
            entries = self.entries.setdefault(change.view.name, {})
            if not self.is_of_version(change.view):
                entries.clear()
            for path in (*map(file_of, change.write), *change.remove):
                entries.pop(path, None)
            self.versions[change.view.name] = change.view.version
        self._write_manifest()

    def _remove(self, changes: Iterable[Differences], progress: Progress) -> None:
        for change in changes:
            for path in change.remove:
                target = self.folder / change.view.name / path
                target.unlink(missing_ok=True)
                if target.parent != self.folder / change.view.name:
                    remove_empty(target.parent)
                progress("removed")

    def _write_manifest(self) -> None:
        views: dict[str, Any] = {
            view: {
                "version": self.versions[view],
                "files": {
                    path: {"rows": entry.rows, "bytes": entry.bytes, "hash": entry.hash}
                    for path, entry in sorted(entries.items())
                },
            }
            for view, entries in sorted(self.entries.items())
        }
        write_json(self.folder / MANIFEST, {"workspace": self.name, "views": views})


def days_of(paths: Iterable[str]) -> set[Day]:
    return {day_of(path) for path in paths}


def day_of(path: str) -> Day:
    """The day of a file of a view."""
    folder, slash, _ = path.partition("/")
    return date.fromisoformat(folder.removeprefix("day=")) if slash else None


def _write_parquet(path: Path, view: ExportedView, tables: Iterator[pa.Table]) -> int:
    """Writes a file and returns the number of its rows."""
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    schema, rows = arrow_schema(view), 0
    waiting: list[pa.Table] = []
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def flush() -> None:
            writer.write_table(pa.concat_tables(waiting), row_group_size=_GROUP_ROWS)
            waiting.clear()

        for table in tables:
            _check_nulls(view, table)
            waiting.append(table)
            rows += table.num_rows
            if sum(t.num_rows for t in waiting) >= _GROUP_ROWS or (
                sum(t.nbytes for t in waiting) >= _GROUP_BYTES
            ):
                flush()
        if waiting:
            flush()
    return rows


def _check_nulls(view: ExportedView, table: pa.Table) -> None:
    for column, values in zip(view.file_columns, table.columns, strict=True):
        if not column.nullable and values.null_count:
            raise ExportError(
                f"the view {view.name} has a null in {column.name}, which its description rules out"
            )


def _sync_folders(workspace: Path, files: Iterable[Path]) -> None:
    """Makes the names of the files last: syncs the folders between each of them and the workspace's."""
    folders = {
        folder
        for file in files
        for folder in file.parents
        if workspace in (folder, *folder.parents)
    }
    for folder in sorted(folders):
        sync(folder)
