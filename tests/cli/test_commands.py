"""Each command does what its help says, prints JSON with --json, and exits with 0, 1 or 2."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.demo.story import as_lines, tell
from lightfast_pipelines.store.locks import job_lock
from tests.cli.conftest import Lightfast
from tests.programs import Programs

STORY = tell(date(2026, 5, 20))
PULL = f"github:pr:{STORY.shop.id}#43"
FILED = [scene for scene in STORY.scenes if scene.door == "file" and scene.provider == "github"]
LINES = len(FILED)


@pytest.fixture
def ingested(lightfast: Lightfast, tmp_path: Path) -> Lightfast:
    """The older part of the demo's story, ingested into workspace `shop`, not yet processed."""
    path = tmp_path / "story.jsonl"
    path.write_bytes(as_lines(STORY.scenes, "github"))
    lightfast("workspace", "add", "shop")
    lightfast("ingest", "--workspace", "shop", "--provider", "github", str(path))
    return lightfast


@pytest.fixture
def processed(ingested: Lightfast) -> Lightfast:
    ingested("process")
    return ingested


def test_a_workspace_is_added_once_and_listed(lightfast: Lightfast) -> None:
    first = lightfast.json("workspace", "add", "acme", "--org", "acme-inc", "--name", "Acme")
    assert lightfast.json("workspace", "add", "acme", "--org", "acme-inc")["id"] == first["id"]
    [listed] = lightfast.json("workspace", "list")
    assert (listed["slug"], listed["org_id"], listed["name"]) == ("acme", "acme-inc", "Acme")


@pytest.mark.parametrize(
    "words",
    [
        ("workspace", "add", "Not A Slug"),
        ("ingest", "--workspace", "w", "--provider", "github", "/no/such/file"),
        ("ingest", "--workspace", "w", "--provider", "gitlab", "-"),
        ("ingest", "--workspace", "w", "--provider", "github"),
        ("integration", "add", "--workspace", "w", "--provider", "gitlab", "--resource", "1"),
        ("integration", "events", "-w", "w", "-p", "github", "-r", "1", "--none", "--default"),
        ("state", "github:pr:1#2", "--at", "lastyear"),
        ("backfill", "-w", "w", "--since", "lastyear"),
        ("integration", "add", "-w", "w", "-p", "vercel", "-r", "acme/shop", "--unknown"),
        ("integration", "events", "-w", "w", "-p", "github", "-r", "1", "--only", "pul_request"),
        ("replay", "--status", "delivered"),
        ("nonsense",),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    lightfast: Lightfast, words: tuple[str, ...]
) -> None:
    assert "Error:" in lightfast(*words, exits=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ingest", "-w", "nowhere", "-p", "github", "-"), "no workspace 'nowhere'"),
        (("integration", "pause", "-w", "shop", "-p", "github", "-r", "1"), "not linked"),
        (("why", "github:pr:1#1"), "nothing is known"),
        (("state", "github:pr:1#1"), "nothing is known"),
        (("chain", "github:pr:1#1", "--workspace", "shop"), "nothing is known"),
    ],
)
def test_a_failure_is_one_line_and_ends_with_1(
    lightfast: Lightfast, words: tuple[str, ...], message: str
) -> None:
    lightfast("workspace", "add", "shop")
    stderr = lightfast(*words, exits=1).stderr
    assert message in stderr
    assert len(stderr.strip().splitlines()) == 1


def test_another_organisations_resource_is_refused_in_one_line(lightfast: Lightfast) -> None:
    lightfast("workspace", "add", "mine")
    lightfast("workspace", "add", "theirs", "--org", "they")
    link = ("-p", "github", "-r", "5")
    lightfast("integration", "add", "-w", "mine", *link)
    assert (
        "another organisation"
        in lightfast("integration", "add", "-w", "theirs", *link, exits=1).stderr
    )


def test_a_resource_that_no_delivery_can_name_is_not_linked(lightfast: Lightfast) -> None:
    lightfast("workspace", "add", "shop")
    link = ("integration", "add", "-w", "shop", "-p", "github", "-r")
    stderr = lightfast(*link, "acme/shop", exits=2).stderr
    assert "gh api repos/acme/shop" in " ".join(stderr.split())
    assert lightfast.json("integration", "list") == []
    lightfast(*link, "acme/shop", "--unchecked")
    assert len(lightfast.json("integration", "list")) == 1


def test_a_removed_link_is_not_removed_paused_or_resumed_again(lightfast: Lightfast) -> None:
    lightfast("workspace", "add", "shop")
    link = ("-w", "shop", "-p", "github", "-r", "5")
    lightfast("integration", "add", *link, "--name", "acme/shop")
    lightfast("integration", "remove", *link)
    for again in ("remove", "pause", "resume"):
        assert "it was removed" in lightfast("integration", again, *link, exits=1).stderr
    assert lightfast.json("integration", "list") == []
    assert "was already" not in lightfast("integration", "add", *link).stdout
    lightfast("integration", "pause", *link)
    assert "already paused" in lightfast("integration", "pause", *link).stdout


def test_an_integration_is_linked_narrowed_paused_resumed_and_removed(ingested: Lightfast) -> None:
    link = ("-w", "shop", "-p", "github", "-r", "harbor-shop/storefront")

    def shown() -> dict[str, Any]:
        integrations: list[dict[str, Any]] = ingested.json("integration", "list")
        return next(
            item for item in integrations if item["resource_name"] == "harbor-shop/storefront"
        )

    ingested("process")
    assert ingested.json("integration", "events", *link)["events"] is None
    chosen = ingested.json("integration", "events", *link, "--only", "push", "--only", "release")
    assert chosen["events"] == ["push", "release"]
    assert chosen["requeued"] > 0
    ingested("integration", "events", *link, "--none")
    assert shown()["sync_config"] == {"events": []}
    ingested("integration", "events", *link, "--default")
    assert shown()["sync_config"] == {}
    ingested("integration", "pause", *link)
    assert shown()["is_active"] is False
    ingested("integration", "resume", *link)
    assert shown()["is_active"] is True
    ingested("integration", "remove", *link)
    assert [item["resource_name"] for item in ingested.json("integration", "list")] == [
        "harbor-shop/payments-api",
        "harbor-shop/mobile-app",
    ]


def test_ingest_counts_its_lines_and_ends_with_1_for_a_bad_one(
    lightfast: Lightfast, file_of: Callable[[Sequence[dict[str, Any]]], str]
) -> None:
    lightfast("workspace", "add", "acme")
    good = {"event": "push", "payload": {"repository": {"id": 4, "full_name": "acme/four"}}}
    report = lightfast.json(
        "ingest", "-w", "acme", "-p", "github", file_of([good, {"event": "push"}]), exits=1
    )
    assert (report["lines"], report["stored"], report["problems"]) == (2, 1, 1)
    assert report["linked"] == ["github:repository:4"]
    assert report["shown_problems"][0]["line"] == 2


def test_ingest_reads_stdin(lightfast: Lightfast) -> None:
    lightfast("workspace", "add", "shop")
    result = lightfast(
        "ingest", "-w", "shop", "-p", "github", "-", stdin=as_lines(STORY.scenes, "github")
    )
    assert f"{LINES} lines: {LINES} stored" in result.stdout


def test_process_leaves_nothing_waiting_and_a_second_one_has_nothing_to_do(
    ingested: Lightfast,
) -> None:
    first = ingested.json("process")
    assert first["deliveries"] == LINES
    assert set(first["waits"].values()) == {0}
    assert first["profiles"] > 0
    assert first["summaries"] > 0
    with ingested.database.connect() as conn:
        rows = conn.execute(
            "SELECT (SELECT count(*) FROM lightfast.actor_profiles),"
            " (SELECT count(*) FROM lightfast.clusters WHERE summary IS NOT NULL)"
        ).fetchone()
    assert rows == (first["profiles"], first["summaries"])
    second = ingested.json("process")
    assert (second["deliveries"], second["profiles"], second["summaries"]) == (0, 0, 0)
    status = ingested.json("status")
    assert status["deliveries"] == {
        "received": 0,
        "delivered": sum(scene.fate == "delivered" for scene in FILED),
        "filtered": sum(scene.fate == "filtered" for scene in FILED),
        "parked": 0,
        "dlq": 0,
    }


def test_process_waits_while_a_run_captures(ingested: Lightfast, programs: Programs) -> None:
    with ingested.database.connect() as conn, job_lock(conn, "capture", wait=True):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [
            sys.executable,
            "-c",
            "from lightfast_pipelines.cli import app; app()",
            "process",
        ]
        waiting = programs.start(command, environment, stdout=subprocess.PIPE)
        while conn.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        ).fetchone() != (1,):
            conn.rollback()
            assert waiting.poll() is None
            time.sleep(0.05)
        assert conn.execute("SELECT count(*) FROM lightfast.observations").fetchone() == (0,)
        conn.rollback()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert f"{LINES} deliveries".encode() in out


def test_digest_refuses_while_work_waits_and_is_equal_after_a_rebuild(ingested: Lightfast) -> None:
    assert f"{LINES} deliveries" in ingested("digest", exits=1).stderr
    ingested("process")
    before, knowledge = ingested("digest").stdout, ingested.json("digest", "--knowledge")
    assert ingested.json("rebuild", "--yes") == {"queued": LINES}
    ingested("process")
    assert ingested("digest").stdout == before
    assert ingested.json("digest", "--knowledge") == knowledge


def test_parked_deliveries_wait_again_after_a_replay(processed: Lightfast) -> None:
    unknown = next(scene for scene in STORY.scenes if scene.fate == "parked")
    line = as_lines([replace(unknown, door="file")], "github")
    processed("ingest", "-w", "shop", "-p", "github", "-", stdin=line)
    processed("process")
    assert processed.json("replay", "--status", "parked") == {"queued": 1}
    assert processed.json("process")["outcomes"] == {"parked": 1}
    assert processed.json("replay", "--status", "dlq") == {"queued": 0}


def test_why_leads_from_a_thing_to_its_payloads(processed: Lightfast) -> None:
    answer = processed.json("why", PULL)
    kinds = {row["source_type"] for row in answer["observations"]}
    assert "pull-request.merged" in kinds
    assert {row["verified_by"] for row in answer["payloads"]} == {"manual"}
    assert "pull-request.merged" in processed("why", PULL).stdout


def test_chain_follows_relationships_and_says_if_there_are_none(processed: Lightfast) -> None:
    answer = processed.json("chain", PULL, "--workspace", "shop")
    assert [link["type"] for link in answer["cause"]] == ["", "fixes"]
    assert "fixes" in processed("chain", PULL, "--workspace", "shop").stdout
    issue = answer["cause"][1]["key"]
    of_issue = processed.json("chain", issue, "--workspace", "shop")["end"]
    assert [(link["type"], link["category"]) for link in of_issue][:2] == [
        ("", "issue"),
        ("fixes", "pull_request"),
    ]
    file = "api/urls.py"
    assert "no relationship leads" in processed("chain", file, "--workspace", "shop").stderr


def test_state_shows_what_held_at_a_moment(processed: Lightfast) -> None:
    def status(*when: str) -> list[str]:
        rows = processed.json("state", PULL, "--workspace", "shop", *when)
        return [row["value"] for row in rows if row["state"] == "status"]

    assert status("--at", "2026-05-14T20:00:00Z") == ["draft"]
    assert status("--at", "2026-05-15T20:00:00Z") == ["open"]
    assert status() == ["merged"]
    assert status("--at", "2026-05-10") == []
    assert status("--as-known", "2026-05-15T12:00:00Z") == ["open"]


def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, lightfast: Lightfast) -> None:
    from lightfast_pipelines.settings import settings

    monkeypatch.setenv("LIGHTFAST_RECEIVER_PORT", "many")
    settings.cache_clear()
    assert "LIGHTFAST_RECEIVER_PORT" in lightfast("status", exits=1).stderr


def test_help_loads_neither_database_nor_dagster() -> None:
    code = "import sys; from lightfast_pipelines.cli import app; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"dagster", "psycopg", "sqlalchemy", "numpy", "rich", "httpx", "pydantic", "msgspec"}
    assert heavy & set(loaded) == set()


def test_a_pipe_that_closes_early_is_not_a_failure(processed: Lightfast) -> None:
    command = f"{sys.executable} -c 'from lightfast_pipelines.cli import app; app()' status --json | head -c 10"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


def test_the_story_is_written_as_valid_lines() -> None:
    for text in io.BytesIO(as_lines(STORY.scenes, "github")):
        assert set(json.loads(text)) == {"event", "delivery_id", "received_at", "payload"}
