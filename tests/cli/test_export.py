"""`lightfast export` as a user gives it."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.cli.conftest import Lightfast
from tests.providers.github import payloads as github


def _two_workspaces(lightfast: Lightfast) -> None:
    with lightfast.database.connect() as conn:
        workspace_with(conn, "shop", 1)
        workspace_with(conn, "blog", 2)
        receive(
            conn,
            [
                delivery("issues", github.issue("opened", number, repo_id=repository))
                for number, repository in ((1, 1), (2, 1), (3, 2))
            ],
        )
        capture_all(conn)


def test_export_writes_once_and_says_what_it_wrote(lightfast: Lightfast, tmp_path: Path) -> None:
    _two_workspaces(lightfast)
    folder = tmp_path / "out"
    first = lightfast.json("export", "--to", str(folder))
    changes = next(view for view in first["views"] if view["view"] == "changes")
    assert (changes["rows"], changes["files"], changes["written"]) == (3, 2, 2)
    again = lightfast("export", "--to", str(folder))
    assert " 0 removed in " in again.stdout
    assert "0 of " in again.stdout
    with duckdb.connect() as asking:
        asking.execute((folder / "views.sql").read_text())
        found = asking.execute("SELECT workspace, count(*) FROM changes GROUP BY 1 ORDER BY 1")
        assert found.fetchall() == [("blog", 1), ("shop", 2)]


def test_only_the_workspaces_views_and_days_that_are_named_are_exported(
    lightfast: Lightfast, tmp_path: Path
) -> None:
    _two_workspaces(lightfast)
    folder = tmp_path / "out"
    report = lightfast.json(
        *("export", "--to", str(folder), "-w", "shop", "--tables", "changes,current_states"),
        *("--since", "2024-05-01", "--until", "2024-05-01"),
    )
    assert {view["view"]: view["rows"] for view in report["views"]} == {
        "changes": 2,
        "current_states": 2,
    }
    assert [path.name for path in (folder / "default").iterdir()] == ["shop"]


def test_what_cannot_be_exported_is_said_in_one_line(lightfast: Lightfast, tmp_path: Path) -> None:
    _two_workspaces(lightfast)
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"cat")
    refused = lightfast("export", "--to", str(foreign), exits=1)
    assert refused.stderr.endswith(
        "holds something else (cat.jpg): name a new folder or an empty one\n"
    )
    assert [path.name for path in foreign.iterdir()] == ["cat.jpg"]
    new = tmp_path / "new"
    unknown = lightfast("export", "--to", str(new), "--tables", "chnages", exits=1)
    assert "'chnages' is not a view: one of changes, " in unknown.stderr
    nowhere = lightfast("export", "--to", str(new), "-w", "shpo", exits=1)
    assert "no workspace 'shpo'" in nowhere.stderr
    backwards = lightfast(
        *("export", "--to", str(new), "--since", "2024-05-02", "--until", "2024-05-01"), exits=2
    )
    assert "--since (2024-05-02) is after --until (2024-05-01)" in backwards.stderr
    assert not new.exists()
