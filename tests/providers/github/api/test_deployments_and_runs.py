"""Deployments with their statuses, and workflow runs, of which GitHub lists only a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Estimate,
    LinkedResource,
    Record,
    Window,
)
from lightfast_pipelines.providers.github.api import deployments, workflow_runs
from tests.providers.github.payloads import sha, user
from tests.providers.github.readings import statement

PLACE = LinkedResource("github", "1", "acme/shop", {"default_branch": "main"})
SINCE = datetime(2024, 5, 1, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(days=30))
OPENED, ENDED = "2024-05-01T10:00:00Z", "2024-05-02T12:00:00Z"


def told(record: Record) -> Statement:
    result = statement(record.event_type, record.payload)
    assert result.occurred_at == record.occurred_at
    return result


def deployment(number: int, created: str = OPENED, updated: str = ENDED) -> dict[str, Any]:
    return {
        "id": number,
        "sha": sha("c"),
        "ref": "main",
        "task": "deploy",
        "environment": "production",
        "production_environment": True,
        "creator": user("ada"),
        "created_at": created,
        "updated_at": updated,
        "url": "https://api.github.com/x",
    }


def listed(items: Sequence[Any], page: int = 1, last: int = 1) -> Answer:
    base = "https://api.github.com/repositories/1/deployments?per_page=20&page="
    link = f'<{base}{page + 1}>; rel="next", <{base}{last}>; rel="last"' if page < last else ""
    return Answer(200, {"link": link}, list(items), f"{base}{page}")


def test_the_statuses_of_each_deployment_are_fetched_together_with_what_was_deployed() -> None:
    walker = deployments.WALKER
    page = walker.read(PLACE, WINDOW, {"offset": 0}, listed([deployment(2), deployment(1)]))
    assert [told(record).source_type for record in page.records] == ["deployment.created"] * 2
    assert page.next is not None
    call = walker.call(PLACE, WINDOW, page.next, 20)
    assert call.path == "repositories/1/deployments/2/statuses"
    status = {"id": 90, "state": "success", "creator": user("lin"), "created_at": ENDED}
    page = walker.read(PLACE, WINDOW, page.next, Answer(200, {}, [status]))
    found = told(page.records[0])
    assert found.source_type == "deployment.succeeded"
    assert found.metadata["gitCommitSha"] == sha("c")
    assert {state.state_type for state in found.states} == {"status", "live_deployment:production"}
    assert page.next is not None
    page = walker.read(PLACE, WINDOW, page.next, Answer(200, {}, []))
    assert page.next is None


def test_a_deployment_without_changes_in_the_window_is_not_fetched() -> None:
    old = deployment(1, "2024-04-01T00:00:00Z", "2024-04-02T00:00:00Z")
    late = deployment(3, "2024-07-01T00:00:00Z", "2024-07-01T00:01:00Z")
    moved = deployment(2, "2024-04-30T00:00:00Z", ENDED)
    page = deployments.WALKER.read(PLACE, WINDOW, {"offset": 0}, listed([late, moved, old]))
    assert page.next is not None
    assert [one["id"] for one in page.next["pending"]] == [2]


def test_the_estimate_counts_a_request_for_each_deployment() -> None:
    first = listed([deployment(n) for n in range(20)], 1, 3)
    last = listed([deployment(n) for n in range(7)], 3, 3)
    found = deployments.WALKER.probe(PLACE, WINDOW, [first, last])
    assert isinstance(found, Estimate)
    assert found.requests == 3 + 20 + 20 + 7


def runs(total: int, *items: Any) -> Answer:
    return Answer(200, {}, {"total_count": total, "workflow_runs": list(items)})


def run(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "CI",
        "head_branch": "main",
        "head_sha": sha("c"),
        "run_number": 12,
        "run_attempt": 2,
        "event": "push",
        "conclusion": "failure",
        "actor": user("ada"),
        "triggering_actor": user("grace"),
        "pull_requests": [],
        "created_at": OPENED,
        "updated_at": ENDED,
        **more,
    }


def test_a_failed_run_is_read_with_its_end_and_its_attempt() -> None:
    walker = workflow_runs.WALKER
    page = walker.read(PLACE, WINDOW, walker.start(PLACE, WINDOW), runs(1, run(30)))
    found = told(page.records[0])
    assert found.source_id.endswith("|2")
    assert found.states[0].value == "failed"
    assert page.records[0].delivery_id == "backfill:workflow-run:30:2"
    assert page.next is not None
    assert page.next["pending"] == [[30, 1]]


def test_a_window_with_more_runs_than_github_lists_is_cut_and_no_second_is_lost_or_twice() -> None:
    walker = workflow_runs.WALKER
    page = walker.read(PLACE, WINDOW, walker.start(PLACE, WINDOW), runs(2_500, run(1)))
    assert page.next is not None
    spans = [[datetime.fromisoformat(end) for end in span] for span in page.next["spans"]]
    assert len(spans) == 4
    assert spans[0][1] == WINDOW.until
    assert spans[-1][0] == WINDOW.since - timedelta(days=31)
    for newer, older in pairwise(spans):
        assert newer[0] - older[1] == timedelta(seconds=1)


def test_a_second_with_too_many_runs_is_read_as_far_as_github_lists_them() -> None:
    cursor = {"spans": [[OPENED, OPENED], [ENDED, ENDED]], "offset": 0}
    page = workflow_runs.WALKER.read(PLACE, WINDOW, cursor, runs(1_000, run(1)))
    assert page.next is not None
    then = {"status": "failure", "spans": [[ENDED, ENDED]], "offset": 0}
    assert page.next == {"pending": [[1, 1]], "then": then}
