"""One export: compares the views with the files, writes what differs, and describes the folder."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psycopg import IsolationLevel

from lightfast_pipelines.export.duckdb_views import views_sql
from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.folder import (
    MANIFEST,
    SCHEMAS,
    claim,
    opened_folder,
    put_in_place,
    read_json,
    workspace_folder,
    write_json,
    write_text,
)
from lightfast_pipelines.export.reading import Bounds, Content, Day, read_contents, read_days
from lightfast_pipelines.export.schemas import ExportedView, arrow_schema, exported_views
from lightfast_pipelines.export.workspace_files import (
    Differences,
    Progress,
    WorkspaceFiles,
    day_of,
)
from lightfast_pipelines.store.database import Connection, Database
from lightfast_pipelines.store.linked_resources import Workspace, find_workspace, list_workspaces
from lightfast_pipelines.store.logins import LoginError

EXPORT_IS_OFF = "LIGHTFAST_EXPORT_DIR is not set"
NEEDS_PYARROW = "Parquet files need pyarrow: pip install 'lightfast-pipelines[analysis]', where this command runs"


@dataclass(slots=True)
class ExportedFile:
    """A file within the bounds of an export; `was_written` by this one."""

    workspace: str
    view: str
    day: Day
    rows: int
    bytes: int
    was_written: bool


@dataclass(slots=True)
class ExportReport:
    """What is in the folder within the bounds, and what an export did to it."""

    files: list[ExportedFile] = field(default_factory=list)
    removed: int = 0
    deleted_workspaces: list[str] = field(default_factory=list)

    @property
    def written(self) -> list[ExportedFile]:
        return [file for file in self.files if file.was_written]


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export: by default all views of all workspaces on all days."""

    workspaces: Sequence[str] = ()
    views: Sequence[str] = ()
    bounds: Bounds = field(default_factory=Bounds)

    def of_views(self) -> list[ExportedView]:
        """Raises ExportError for a view that is not exported."""
        known = exported_views()
        if unknown := [name for name in self.views if name not in known]:
            raise ExportError(f"{unknown[0]!r} is not a view: one of {', '.join(known)}")
        return [view for name, view in known.items() if not self.views or name in self.views]

    def of_workspaces(self, conn: Connection) -> list[Workspace]:
        """Raises LinkRefusedError for a workspace that there is none of."""
        if not self.workspaces:
            return list_workspaces(conn)
        return [find_workspace(conn, name) for name in dict.fromkeys(self.workspaces)]


def _ignore(_step: str) -> None:
    return None


def export(
    database: Database,
    folder: Path,
    selection: Selection,
    *,
    now: datetime,
    progress: Progress = _ignore,
) -> ExportReport:
    """Brings the folder up to date with the views. Raises ExportError, LinkRefusedError, OSError."""
    _need_pyarrow()
    folder = folder.absolute()
    views = selection.of_views()
    with _disk_errors(folder), _reading(database) as conn:
        # Before a folder is made for a workspace that there is none of.
        selection.of_workspaces(conn)
        # The moment that is exported begins once the folder is ours, so none is older than the one before.
        conn.rollback()
        with opened_folder(folder) as manifest:
            # Every row of a cursor is read here, and by default it is planned for the first tenth.
            conn.execute("SET LOCAL cursor_tuple_fraction = 1")
            claim(folder, manifest, _identity(conn))
            workspaces = selection.of_workspaces(conn)
            report = ExportReport()
            files = [
                WorkspaceFiles.of(folder / workspace_folder(w.org_id, w.slug), w.full_name)
                for w in workspaces
            ]
            contents = _contents(conn, views, workspaces, files, selection.bounds)
            for workspace, its_files in zip(workspaces, files, strict=True):
                differences = [
                    its_files.differences(view, found[workspace.id], bounds)
                    for view, (found, bounds) in zip(views, contents, strict=True)
                ]
                its_files.replace(
                    differences,
                    lambda change, workspace=workspace: read_days(  # type: ignore[misc]
                        conn, change.view, workspace.id, change.write.keys()
                    ),
                    progress,
                )
                _report(report, its_files, differences, selection.bounds)
            if not selection.workspaces:
                report.deleted_workspaces = _delete_others(folder, workspaces)
            _describe(folder, manifest, now)
    return report


@contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    """A connection that sees one moment of the database and writes nothing.

    It has the analyst's rights, or where a process has no login for them, the pipeline's.
    """
    try:
        conn = database.connect("analyst", application_name="lightfast export")
    except LoginError:
        conn = database.connect("pipeline", application_name="lightfast export")
    with conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        yield conn


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise ExportError(
            f"no room for the new files in {folder} ({error.strerror or error}): the files that were there "
            "are unchanged; free some space and export again"
        ) from error


def _need_pyarrow() -> None:
    if find_spec("pyarrow") is None:
        raise ExportError(NEEDS_PYARROW)


def _identity(conn: Connection) -> str:
    """What tells this database from any other, also from one of the same name made later."""
    row = conn.execute(
        "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "FROM pg_control_system()"
    ).fetchone()
    return str(row[0]) if row else ""


def _contents(
    conn: Connection,
    views: Sequence[ExportedView],
    workspaces: Sequence[Workspace],
    files: Sequence[WorkspaceFiles],
    bounds: Bounds,
) -> list[tuple[dict[int, dict[Day, Content]], Bounds]]:
    """What each view holds of each workspace, within the bounds that apply to it.

    If a view has other columns since, all its files are written again, so that they stay alike.
    """
    ids = [workspace.id for workspace in workspaces]
    found = []
    for view in views:
        applies = bounds if all(each.is_of_version(view) for each in files) else Bounds()
        found.append((read_contents(conn, view, ids, applies), applies))
    return found


def _report(
    report: ExportReport,
    files: WorkspaceFiles,
    differences: Sequence[Differences],
    bounds: Bounds,
) -> None:
    for change in differences:
        report.removed += len(change.remove)
        for path, entry in sorted(files.entries.get(change.view.name, {}).items()):
            day = day_of(path)
            if day in change.write or day in bounds:
                report.files.append(
                    ExportedFile(
                        *(files.name, change.view.name, day, entry.rows, entry.bytes),
                        day in change.write,
                    )
                )


def _delete_others(folder: Path, workspaces: Sequence[Workspace]) -> list[str]:
    """Deletes the files of workspaces that were removed from the database, and returns their names."""
    there = {workspace.full_name for workspace in workspaces}
    deleted = []
    for path in sorted(folder.glob(f"*/*/{MANIFEST}")):
        name = str(read_json(path).get("workspace", ""))
        if name and name not in there:
            WorkspaceFiles.of(path.parent, name).delete()
            deleted.append(name)
    return deleted


def _describe(folder: Path, manifest: dict[str, Any], now: datetime) -> None:
    """Writes the columns of the views, DuckDB's views and, last, the folder's manifest."""
    from pyarrow import parquet

    views = exported_views()
    (folder / SCHEMAS).mkdir(exist_ok=True)
    for view in views.values():
        path = folder / SCHEMAS / f"{view.name}.parquet"
        temporary = path.with_suffix(".tmp")
        parquet.write_table(arrow_schema(view).empty_table(), temporary)
        put_in_place(temporary, path)
    with_rows = _views_with_files(folder, views)
    text = views_sql(folder, views.values(), with_rows, _views_with_former_columns(folder, views))
    write_text(folder / "views.sql", text)
    manifest["exported_at"] = now.isoformat()
    manifest["views"] = {
        view.name: {"version": view.version, "main_time": view.main_time} for view in views.values()
    }
    write_json(folder / MANIFEST, manifest)


def _views_with_files(folder: Path, views: Collection[str]) -> set[str]:
    return {view for view in views if next(folder.glob(f"*/*/{view}/**/*.parquet"), None)}


def _views_with_former_columns(folder: Path, views: Mapping[str, ExportedView]) -> set[str]:
    """The views that have files of a former version, in workspaces that were not exported since."""
    return {
        name
        for path in folder.glob(f"*/*/{MANIFEST}")
        for name, described in read_json(path).get("views", {}).items()
        if name in views and described["files"] and described["version"] != views[name].version
    }
