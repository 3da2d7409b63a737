"""Workspaces are added, renamed and removed, and other workspaces keep what they have."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from lightfast_pipelines.demo.story import as_lines, tell
from lightfast_pipelines.store.tables import metadata
from tests.cli.conftest import Lightfast

STORY = tell(date(2026, 5, 20))
LINES = sum(scene.door == "file" and scene.provider == "github" for scene in STORY.scenes)
# Tables about the installation itself, not about a workspace.
KEPT = {"activity", "partition_start", "unreported_work", "workspaces", "consolidation_marks"}


@pytest.fixture
def processed(lightfast: Lightfast, tmp_path: Path) -> Lightfast:
    """The story of the demo in an organisation of its own, processed."""
    path = tmp_path / "story.jsonl"
    path.write_bytes(as_lines(STORY.scenes, "github"))
    lightfast("workspace", "add", "tale", "--org", "demo")
    lightfast("ingest", "--workspace", "tale", "--provider", "github", str(path))
    lightfast("process")
    return lightfast


def _sizes(lightfast: Lightfast) -> dict[str, int]:
    sizes: dict[str, int] = {}
    with lightfast.database.connect("migrator") as conn:
        for table in metadata.tables.values():
            row = conn.execute(f"SELECT count(*) FROM lightfast.{table.name}").fetchone()
            assert row is not None
            sizes[table.name] = row[0]
    return {name: size for name, size in sizes.items() if size and name not in KEPT}


def test_a_demos_workspace_is_removed_to_the_last_row(processed: Lightfast) -> None:
    processed("people", "reject", "Priya Raman", "Jonas Lind")
    sizes = _sizes(processed)
    assert sizes["observation_facts"] > 0
    assert sizes["actor_decisions"] == 1
    done = processed.json("workspace", "remove", "demo/tale", "--deliveries", "--yes")
    assert (done["deliveries"], done["kept"], done["organisation"]) == (LINES, 0, True)
    assert done["observations"] > 0
    assert _sizes(processed) == {}
    assert processed.json("workspace", "list") == []


def test_deliveries_stay_unless_asked_otherwise_and_a_new_link_takes_them(
    processed: Lightfast,
) -> None:
    processed("people", "accept", "Priya Raman", "Jonas Lind")
    processed("process")
    before = processed("digest").stdout
    done = processed.json("workspace", "remove", "tale", "--yes")
    assert (done["deliveries"], done["kept"]) == (0, LINES)
    processed("process")
    assert processed.json("status")["deliveries"]["parked"] > 0
    processed("workspace", "add", "tale", "--org", "demo")
    for repository in (STORY.shop, STORY.payments, STORY.app):
        processed(
            *("integration", "add", "-w", "tale", "-p", "github", "-r", str(repository.id)),
            *("--name", repository.full_name),
        )
    processed("process")
    assert processed("digest").stdout == before


def test_another_workspace_keeps_what_it_has(lightfast: Lightfast, tmp_path: Path) -> None:
    path = tmp_path / "story.jsonl"
    path.write_bytes(as_lines(STORY.scenes, "github"))
    for workspace in ("one", "two"):
        lightfast("workspace", "add", workspace)
    lightfast("ingest", "-w", "one", "-p", "github", str(path))
    lightfast("process")
    alone = lightfast("digest").stdout
    lightfast("ingest", "-w", "two", "-p", "github", str(path))
    lightfast("process")
    done = lightfast.json("workspace", "remove", "two", "--deliveries", "--yes")
    assert (done["deliveries"], done["organisation"]) == (0, False)
    lightfast("process")
    assert lightfast("digest").stdout == alone


def test_a_resource_of_a_removed_workspace_is_free_for_another_organisation(
    lightfast: Lightfast,
) -> None:
    for org in ("old", "new"):
        lightfast("workspace", "add", "shop", "--org", org)
    lightfast("workspace", "add", "other", "--org", "old")
    link = ("-p", "github", "-r", "5")
    lightfast("integration", "add", "-w", "old/shop", *link)
    lightfast("integration", "add", "-w", "new/shop", *link, exits=1)
    lightfast("workspace", "remove", "old/shop", "--yes")
    lightfast("integration", "add", "-w", "new/shop", *link)


def test_a_wrong_or_ambiguous_name_removes_nothing(processed: Lightfast) -> None:
    assert (
        "no workspace 'tail'" in processed("workspace", "remove", "tail", "--yes", exits=1).stderr
    )
    assert "demo/tale" in processed("workspace", "remove", "tail", "--yes", exits=1).stderr
    assert "--yes" in processed("workspace", "remove", "tale", exits=2).stderr
    processed("workspace", "add", "tale")
    assert "several" in processed("workspace", "remove", "tale", "--yes", exits=1).stderr
    assert len(processed.json("workspace", "list")) == 2


def test_a_workspace_is_renamed_and_its_ids_stay(processed: Lightfast) -> None:
    before = processed("digest").stdout
    stdout = processed("workspace", "rename", "tale", "A tale of a shop").stdout
    assert "slug stays tale" in stdout
    [listed] = processed.json("workspace", "list")
    assert (listed["slug"], listed["name"]) == ("tale", "A tale of a shop")
    assert processed("digest").stdout == before
    processed("workspace", "rename", "tale", " ", exits=2)


def test_adding_an_existing_workspace_says_so(processed: Lightfast) -> None:
    again = processed("workspace", "add", "tale", "--org", "demo", "--name", "Other")
    assert "was there already" in again.stdout
    assert "workspace rename" in again.stderr
    assert (
        json.loads(processed("workspace", "add", "tale", "--org", "demo", "--json").stdout)[
            "created"
        ]
        is False
    )
