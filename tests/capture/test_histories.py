"""Two real project histories: every line accounted for, as many observations as the file says."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lightfast_pipelines.inbox.files import ingest
from lightfast_pipelines.inbox.jsonlines import read_lines
from lightfast_pipelines.providers import discover
from lightfast_pipelines.store.database import Database
from lightfast_pipelines.store.linked_resources import add_workspace
from tests.capture.deliveries import capture_all, one, rows
from tests.depth import size


def predicted(lines: list[bytes]) -> int:
    """Commits on the default branch by sha, and transitions of pull requests, counted over the file."""
    facts = set()
    for line in lines:
        envelope = json.loads(line)
        payload = envelope["payload"]
        if envelope["event"] == "push":
            default = payload["repository"]["default_branch"]
            if payload["ref"] == f"refs/heads/{default}":
                facts |= {commit["id"] for commit in payload["commits"]}
        else:
            request = payload["pull_request"]
            merged = payload["action"] == "closed" and request["merged"]
            action = "merged" if merged else payload["action"]
            when = {"merged": "merged_at", "closed": "closed_at"}.get(action, "created_at")
            facts.add((request["number"], action, request[when]))
    return len(facts)


@pytest.mark.parametrize("name", ["starlette", "ipython", "ipython-commits"])
def test_a_history_becomes_the_observations_that_a_count_over_it_predicts(
    name: str, shared: Path, new_database: Callable[[], Database]
) -> None:
    lines = gzip.decompress((shared / "corpus" / f"{name}.jsonl.gz").read_bytes()).splitlines()
    lines = lines[: size(1_200, len(lines))]
    with new_database().connect() as conn:
        workspace = add_workspace(conn, name)
        conn.commit()
        report = ingest(
            conn,
            workspace,
            discover()["github"],
            read_lines(io.BytesIO(b"\n".join(lines)), name, max_bytes=32 << 20),
            start=date(2008, 1, 1),
            now=datetime(2026, 1, 1, tzinfo=UTC),
            on_problem=lambda *_: None,
        )
        assert (report.stored, report.problems) == (len(lines), 0)
        outcomes = capture_all(conn, batch_rows=500).outcomes
        assert sum(outcomes.values()) == len(lines)
        assert "dlq" not in outcomes
        assert one(conn, "SELECT count(*) FROM lightfast.observations") == predicted(lines)
        statuses = rows(conn, "SELECT status, count(*) FROM lightfast.deliveries GROUP BY 1")
        assert sum(count for _, count in statuses) == len(lines)
