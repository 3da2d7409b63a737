"""An export writes into its own folder only, and keeps databases and tenants apart."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lightfast_pipelines.export.errors import ExportError
from lightfast_pipelines.export.folder import workspace_folder
from lightfast_pipelines.inbox.workspace_removal import remove_workspace
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.export.reading_back import VIEWS, by_duckdb, by_pandas, by_sql, exported, stamps
from tests.providers.github import payloads as github


def _issues(conn: Connection, *repositories: int) -> None:
    receive(
        conn,
        [delivery("issues", github.issue("opened", 1, repo_id=number)) for number in repositories],
    )
    capture_all(conn)


def test_each_workspace_has_a_folder_with_its_rows_alone(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    workspace_with(conn, "shop", 1)
    workspace_with(conn, "blog", 2, org_id="Ö & Co/../x")
    _issues(conn, 1, 2)
    exported(database, tmp_path)
    for org, slug in (("default", "shop"), ("Ö & Co/../x", "blog")):
        folder = tmp_path / workspace_folder(org, slug)
        assert by_pandas(folder, VIEWS["changes"]) == by_sql(conn, VIEWS["changes"], slug) != []


@pytest.mark.parametrize("org", ["..", ".", "_schema", ".hidden", "a/b", "%", "x" * 5000, "day=1"])
def test_no_name_of_an_organisation_leaves_the_folder_or_hides_from_readers(org: str) -> None:
    folder = workspace_folder(org, "shop")
    assert len(folder.parts) == 2
    assert folder.parts[0][0] not in "._"
    assert len(folder.parts[0]) < 250
    assert "=" not in folder.parts[0]


def test_the_folder_of_a_workspace_that_another_one_uses_is_refused(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    """As on a file system that takes `Acme` for `acme`."""
    workspace_with(conn, "shop", 1)
    _issues(conn, 1)
    exported(database, tmp_path)
    path = tmp_path / "default" / "shop" / "manifest.json"
    path.write_text(path.read_text().replace("default/shop", "Default/shop"))
    before = stamps(tmp_path)
    with pytest.raises(
        ExportError, match="holds Default/shop, and this file system takes its name"
    ):
        exported(database, tmp_path)
    assert stamps(tmp_path) == before


def test_the_files_of_a_removed_workspace_are_deleted_by_an_export_of_all(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    workspace_with(conn, "shop", 1)
    blog = workspace_with(conn, "blog", 2, org_id="press")
    _issues(conn, 1, 2)
    exported(database, tmp_path)
    with database.connect("migrator") as owner:
        remove_workspace(owner, blog, deliveries=False, actor="test")
        owner.commit()
    assert exported(database, tmp_path, workspaces=["shop"]).deleted_workspaces == []
    assert (tmp_path / "press" / "blog").exists()
    assert exported(database, tmp_path).deleted_workspaces == ["press/blog"]
    assert not (tmp_path / "press").exists()
    assert by_duckdb(tmp_path, VIEWS["changes"]) == by_sql(conn, VIEWS["changes"])


def test_the_files_of_a_removed_workspace_are_deleted_if_an_export_was_killed_while_it_did_so(
    database: Database, conn: Connection, tmp_path: Path
) -> None:
    blog = workspace_with(conn, "blog", 2, org_id="press")
    _issues(conn, 2)
    exported(database, tmp_path)
    with database.connect("migrator") as owner:
        remove_workspace(owner, blog, deliveries=False, actor="test")
        owner.commit()
    shutil.rmtree(tmp_path / "press" / "blog" / "changes")
    assert exported(database, tmp_path).deleted_workspaces == ["press/blog"]
    assert not (tmp_path / "press").exists()


def test_a_new_folder_is_its_users_alone_and_one_that_was_there_keeps_its_rights(
    database: Database, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2750)
    for folder, mode in ((tmp_path / "backups" / "new", 0o700), (shared, 0o2750)):
        exported(database, folder)
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_an_export_that_was_killed_before_its_first_manifest_is_taken_up(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".manifest.json.tmp").write_text("{")
    exported(database, tmp_path)
    assert not (tmp_path / ".manifest.json.tmp").exists()


def test_a_link_to_a_folder_that_is_not_there_is_refused(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with pytest.raises(ExportError, match="out is a link to a folder that is not there"):
        exported(database, tmp_path / "out")


def test_the_folder_of_another_database_is_refused(
    new_database: Callable[[], Database], tmp_path: Path
) -> None:
    exported(new_database(), tmp_path)
    with pytest.raises(ExportError, match="was exported from another database"):
        exported(new_database(), tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("notes.txt", "mine", r"holds something else \(notes.txt\)"),
        (
            "manifest.json",
            json.dumps({"format": "chrome"}),
            r"holds something else \(manifest.json\)",
        ),
        (
            "manifest.json",
            json.dumps({"format": "lightfast export 9"}),
            "written by another version",
        ),
    ],
)
def test_a_folder_of_something_else_is_left_alone(
    database: Database, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ExportError, match=reason):
        exported(database, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_place_of_the_folder_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ExportError, match="out is a file: name a folder"):
        exported(database, tmp_path / "out")


def test_foreign_files_beside_an_export_stay(database: Database, tmp_path: Path) -> None:
    exported(database, tmp_path)
    (tmp_path / "README").write_text("mine")
    exported(database, tmp_path)
    assert (tmp_path / "README").read_text() == "mine"
