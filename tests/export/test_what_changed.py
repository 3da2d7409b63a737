"""An export writes the files again whose rows changed, whatever changed them, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lightfast_pipelines.export import run
from lightfast_pipelines.export.run import ExportReport
from lightfast_pipelines.export.schemas import ExportedColumn
from lightfast_pipelines.store.database import Connection, Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.export.reading_back import (
    VIEWS,
    as_owner,
    by_duckdb,
    by_pandas,
    by_sql,
    exported,
    stamps,
)
from tests.providers.github import payloads as github

FIRST = datetime(2026, 5, 1, 10, tzinfo=UTC)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
CHANGES = "default/shop/changes"


def opened(number: int, at: datetime) -> dict[str, object]:
    payload = github.issue("opened", number)
    payload["issue"] |= {"created_at": at.isoformat(), "updated_at": at.isoformat()}
    return payload


def arrive(conn: Connection, issues: Iterable[tuple[int, datetime]]) -> None:
    receive(conn, [delivery("issues", opened(number, at)) for number, at in issues])
    capture_all(conn)


@pytest.fixture
def folder(database: Database, conn: Connection, tmp_path: Path) -> Path:
    """An export of four days with an issue each."""
    workspace_with(conn, "shop", 1)
    arrive(conn, enumerate(DAYS, 1))
    exported(database, tmp_path / "out")
    return tmp_path / "out"


def days_written(report: ExportReport, view: str = "changes") -> list[int]:
    """The days in May whose files were written."""
    return [file.day.day for file in report.written if file.view == view and file.day]


def assert_equal(folder: Path, conn: Connection, view: str = "changes") -> None:
    assert by_duckdb(folder, VIEWS[view]) == by_sql(conn, VIEWS[view])


def test_a_second_export_writes_nothing(database: Database, folder: Path) -> None:
    before = stamps(folder)
    report = exported(database, folder)
    assert (report.written, report.removed) == ([], 0)
    assert stamps(folder) == before
    assert {f"{CHANGES}/day=2026-05-0{day}/part.parquet" for day in (1, 2, 3, 4)} <= before.keys()


def test_a_late_delivery_writes_the_file_of_its_day_alone(
    database: Database, conn: Connection, folder: Path
) -> None:
    before = stamps(folder)
    arrive(conn, [(9, DAYS[1] + timedelta(hours=3))])
    assert days_written(exported(database, folder)) == [2]
    after = stamps(folder)
    assert {path for path in after if path.startswith(CHANGES) and after[path] != before[path]} == {
        f"{CHANGES}/day=2026-05-02/part.parquet"
    }
    assert_equal(folder, conn)


def test_a_person_with_another_name_changes_every_day_that_shows_it(
    database: Database, conn: Connection, folder: Path
) -> None:
    as_owner(
        database,
        "INSERT INTO lightfast.actors (id, org_id, display_name, kind) "
        "VALUES ('actor', 'default', 'Ada', 'person')",
    )
    as_owner(database, "UPDATE lightfast.actor_identities SET actor_id = 'actor'")
    assert days_written(exported(database, folder)) == [1, 2, 3, 4]
    as_owner(database, "UPDATE lightfast.actors SET display_name = 'Ada Lovelace'")
    assert days_written(exported(database, folder)) == [1, 2, 3, 4]
    assert_equal(folder, conn)


def test_the_file_of_a_day_that_became_empty_is_removed(
    database: Database, conn: Connection, folder: Path
) -> None:
    as_owner(
        database,
        "UPDATE lightfast.observation_facts SET is_deleted = true WHERE occurred_at::date = '2026-05-03'",
    )
    report = exported(database, folder, "changes", "observations")
    assert (days_written(report), report.removed) == ([], 2)
    assert not (folder / CHANGES / "day=2026-05-03").exists()
    assert_equal(folder, conn)
    assert_equal(folder, conn, "observations")


def test_a_view_that_became_empty_can_still_be_asked(
    database: Database, conn: Connection, folder: Path
) -> None:
    as_owner(database, "UPDATE lightfast.observation_facts SET is_deleted = true")
    exported(database, folder)
    assert by_duckdb(folder, VIEWS["changes"]) == []


def test_two_rows_that_swap_a_value_change_the_hash_of_their_day(
    database: Database, conn: Connection, folder: Path
) -> None:
    arrive(conn, [(9, DAYS[1] + timedelta(hours=3))])
    as_owner(database, "UPDATE lightfast.observation_facts SET title = id::text")
    exported(database, folder)
    as_owner(
        database,
        "UPDATE lightfast.observation_facts f SET title = o.title FROM lightfast.observation_facts o "
        "WHERE f.occurred_at::date = '2026-05-02' AND o.occurred_at::date = '2026-05-02' AND f.id <> o.id",
    )
    assert days_written(exported(database, folder)) == [2]
    assert_equal(folder, conn)


def test_only_the_days_within_the_bounds_are_compared(
    database: Database, conn: Connection, folder: Path
) -> None:
    arrive(conn, [(9, DAYS[0]), (10, DAYS[1]), (11, DAYS[3])])
    bounded = exported(database, folder, "changes", since=date(2026, 5, 2), until=date(2026, 5, 3))
    assert [(file.day, file.was_written) for file in bounded.files] == [
        (date(2026, 5, 2), True),
        (date(2026, 5, 3), False),
    ]
    assert days_written(exported(database, folder, "changes")) == [1, 4]
    assert_equal(folder, conn)


def test_a_file_that_is_missing_or_cut_is_written_again(
    database: Database, conn: Connection, folder: Path
) -> None:
    (folder / CHANGES / "day=2026-05-01" / "part.parquet").unlink()
    cut = folder / CHANGES / "day=2026-05-02" / "part.parquet"
    cut.write_bytes(cut.read_bytes()[:-10])
    assert days_written(exported(database, folder)) == [1, 2]
    assert_equal(folder, conn)


def test_without_a_manifest_every_file_is_written_and_no_other_is_left(
    database: Database, conn: Connection, folder: Path
) -> None:
    stranded = folder / CHANGES / "day=2020-01-01" / "part.parquet"
    stranded.parent.mkdir()
    stranded.write_bytes((folder / CHANGES / "day=2026-05-01" / "part.parquet").read_bytes())
    (folder / "default" / "shop" / "manifest.json").write_text("{")
    assert days_written(exported(database, folder)) == [1, 2, 3, 4]
    assert not stranded.exists()
    assert_equal(folder, conn)


def test_files_with_other_columns_are_all_written_again_whatever_the_bounds(
    database: Database, conn: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = VIEWS["changes"]
    former = ExportedColumn("mood", "texts", True, is_gone=True)
    newer = replace(view, version=view.version + 1, columns=(*view.columns, former))
    monkeypatch.setattr(run, "exported_views", lambda: {"changes": newer})
    report = exported(database, folder, since=date(2026, 5, 4))
    assert days_written(report) == [1, 2, 3, 4]
    assert by_pandas(folder / "default" / "shop", newer) == [
        (*row[:-1], None, row[-1]) for row in by_sql(conn, view)
    ]


def test_a_workspace_that_still_has_files_with_former_columns_can_be_asked_beside_the_others(
    database: Database, conn: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_with(conn, "blog", 2)
    receive(conn, [delivery("issues", github.issue("opened", 1, repo_id=2))])
    capture_all(conn)
    exported(database, folder, "changes")
    view = VIEWS["changes"]
    added = ExportedColumn("mood", "text", True, is_gone=True)
    newer = replace(view, version=view.version + 1, columns=(*view.columns, added))
    monkeypatch.setattr(run, "exported_views", lambda: {"changes": newer})
    exported(database, folder, workspaces=["blog"])
    expected = [(*row[:-1], None, row[-1]) for row in by_sql(conn, view)]
    assert by_duckdb(folder, newer) == expected
    exported(database, folder)
    assert "union_by_name" not in (folder / "views.sql").read_text()
    assert by_duckdb(folder, newer) == expected
