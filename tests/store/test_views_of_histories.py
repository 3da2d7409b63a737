"""The analysts' views of recorded histories say what a plain reading of the payloads says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lightfast_pipelines.people.organisations import decide_people
from lightfast_pipelines.store.database import Database
from tests.capture.deliveries import capture_all, delivery, receive, workspace_with
from tests.store.history_truth import differences, lines_of, truth_of


@pytest.mark.parametrize(
    ("name", "repository"), [("starlette", 1328542905), ("ipython", 1227688617)]
)
def test_views_agree_with_the_payloads(
    shared: Path, new_database: Callable[[], Database], name: str, repository: int
) -> None:
    lines = list(lines_of(shared / "corpus" / f"{name}.jsonl.gz", 300))
    now = datetime(2026, 11, 30, tzinfo=UTC)
    with new_database().connect("pipeline") as conn:
        workspace_with(conn, name, repository)
        receive(
            conn,
            [delivery(line["event"], line["payload"], line["delivery_id"]) for line in lines],
        )
        capture_all(conn)
        decide_people(conn, now=now)
        conn.commit()
        truth = truth_of(lines)
        compared, wrong = differences(conn, name, truth)
    assert wrong == []
    assert min(compared["status"], compared["files"], compared["paths"]) > 30
