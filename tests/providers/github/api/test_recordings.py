"""Recorded answers of GitHub become records that `read` understands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lightfast_pipelines.domain.events import Understood
from lightfast_pipelines.providers import discover
from lightfast_pipelines.providers.api_contract import Answer, LinkedResource, Record, Window
from lightfast_pipelines.providers.github.api import (
    comments,
    commits,
    deployments,
    events,
    issues,
    pulls,
    releases,
    workflow_runs,
)
from lightfast_pipelines.providers.github.api.listing import Listing

PLACE = LinkedResource("github", "1296269", "acme/shop", {"default_branch": "main"})
EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

RECORDED: Mapping[str, Listing] = {
    "_devlake/api_pull_requests.json": pulls.WALKER,
    "_devlake/api_issues.json": issues.WALKER,
    "_devlake/api_events.json": events.WALKER,
    "_devlake/api_comments.json": comments.ISSUE_COMMENTS,
    "_devlake/api_pull_request_review_comments.json": comments.REVIEW_COMMENTS,
    "_openapi-examples/pulls.list.200.default.json": pulls.WALKER,
    "_openapi-examples/issues.list-for-repo.200.default.json": issues.WALKER,
    "_openapi-examples/issues.list-events-for-repo.200.default.json": events.WALKER,
    "_openapi-examples/issues.list-comments-for-repo.200.default.json": comments.ISSUE_COMMENTS,
    "_openapi-examples/pulls.list-review-comments-for-repo.200.default.json": comments.REVIEW_COMMENTS,
    "_openapi-examples/repos.list-commits.200.default.json": commits.WALKER,
    "_openapi-examples/repos.list-releases.200.default.json": releases.WALKER,
}


def items_of(file: Path) -> list[Any]:
    found = json.loads(file.read_text())
    return list(found) if isinstance(found, list) else [found]


def read(records: Iterable[Record]) -> list[str]:
    """The source types that `read` makes of the records."""
    told: list[str] = []
    for record in records:
        reading = discover()["github"].read(record.event_type, record.payload)
        assert isinstance(reading, Understood), (record.delivery_id, reading)
        assert reading.statements, record.delivery_id
        told += [statement.source_type for statement in reading.statements]
    return told


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_item_becomes_records_that_are_understood(shared: Path, name: str) -> None:
    walker = RECORDED[name]
    items = items_of(shared / "payloads" / "github" / "api" / name)
    page = walker.read(PLACE, EVER, walker.start(PLACE, EVER), Answer(200, {}, items))
    assert page.troubles == []
    assert page.items == len(items)
    assert read(page.records) or walker in (events.WALKER, issues.WALKER)


def test_the_recorded_history_has_every_recorded_item(shared: Path) -> None:
    folder = shared / "payloads" / "github" / "api"
    seen: set[str] = set()
    for name, walker in RECORDED.items():
        page = walker.read(PLACE, EVER, {"offset": 0}, Answer(200, {}, items_of(folder / name)))
        seen |= set(read(page.records))
    assert {
        *("pull-request.opened", "pull-request.merged", "pull-request.closed", "issue.opened"),
        *("issue.closed", "commit.pushed", "comment.created", "review-comment.created"),
        "release.published",
    } <= seen
    assert not any(kind.startswith(("branch", "tag", "push")) for kind in seen)


def test_a_recorded_deployment_is_read_with_its_recorded_statuses(shared: Path) -> None:
    folder = shared / "payloads" / "github" / "api" / "_openapi-examples"
    walker = deployments.WALKER
    listed = items_of(folder / "repos.list-deployments.200.default.json")
    page = walker.read(PLACE, EVER, walker.start(PLACE, EVER), Answer(200, {}, listed))
    assert read(page.records) == ["deployment.created"]
    assert page.next is not None
    statuses = items_of(folder / "repos.list-deployment-statuses.200.default.json")
    page = walker.read(PLACE, EVER, page.next, Answer(200, {}, statuses))
    assert read(page.records) == ["deployment.succeeded"]
    assert page.next is None


def test_every_recorded_run_that_ended_becomes_one_record(shared: Path) -> None:
    """The walk requests only failed runs, but records of other runs must be readable as well."""
    runs = items_of(shared / "payloads" / "github" / "api" / "_devlake" / "api_runs.json")
    answer = Answer(200, {}, {"total_count": len(runs), "workflow_runs": runs})
    walker = workflow_runs.WALKER
    page = walker.read(PLACE, EVER, walker.start(PLACE, EVER), answer)
    assert not page.troubles
    ended = sum(bool(run["conclusion"]) for run in runs)
    assert read(page.records) == ["workflow-run.completed"] * ended


def test_the_recorded_pages_of_issues_are_followed_to_their_end(shared: Path) -> None:
    recorded = json.loads(
        (shared / "payloads/github/api/_octokit-fixtures/paginate-issues.raw.json").read_text()
    )
    pages = [one for one in recorded if isinstance(one["response"], list)]
    assert len(pages) > 1
    for one in pages:
        answer = Answer(one["status"], _headers(one), one["response"], f"https://x{one['path']}")
        page = issues.WALKER.read(PLACE, EVER, {"offset": 0}, answer)
        assert not page.troubles
        read(page.records)
        assert (page.next is None) == (one is pages[-1])


def _headers(recorded: Mapping[str, Any]) -> dict[str, str]:
    raw = recorded["rawHeaders"]
    if isinstance(raw, Mapping):
        return {name.lower(): str(value) for name, value in raw.items()}
    return {name.lower(): value for name, value in zip(raw[::2], raw[1::2], strict=True)}
