"""Workflow runs that failed, and the earlier attempts of each.

GitHub lists at most a thousand runs of a search, so a window with more is cut into several. A search
covers one conclusion, and selects runs by their creation time, although an attempt can end up to a
month later. A run whose latest attempt succeeded is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.api_contract import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Json,
    LinkedResource,
    Page,
    Record,
    UnreadableItem,
    Window,
)
from lightfast_pipelines.providers.fields import child, children, time, whole
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    iso,
    kept,
    needed_time,
    read_items,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import address, repository

_MOST = 1_000
# A span is cut so that each part holds this many runs, if they are spread evenly.
_PART = 700
# Conclusions that count as a failure in `checks.py`.
_FAILED = ("failure", "timed_out", "startup_failure")
# A run can be started again for 30 days after it was created, and its last attempt takes a while.
_EARLIER = timedelta(days=31)
# How often a span that runs have left is read again before the result is reported as uncertain.
_BEGUN_AGAIN = 3
_FIELDS = (
    *("id", "name", "head_branch", "head_sha", "path", "run_number", "run_attempt", "event"),
    *("display_title", "status", "conclusion", "workflow_id", "html_url", "created_at"),
    *("run_started_at", "updated_at"),
)


class WorkflowRuns:
    """A `Walker`. The cursor has the conclusion that is searched for (`status`), and the spans of time
    that remain, newest first; a span includes both of its ends, in whole seconds. `pending` lists
    attempts, as [run, attempt], that are fetched alone before the walk goes on to `then`.

    A run that is started again leaves the list of failed runs, so later ones move forward, past the
    walk: where the `total` of a span has become smaller, the span is read again."""

    entity_type = "workflow_run"
    page_size = 100

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return _beginning(window, _FAILED[0])

    def call(
        self,
        place: LinkedResource,
        window: Window,  # the cursor's spans come from it
        cursor: Cursor,
        page_size: int,
    ) -> Call:
        if cursor.get("pending"):
            run, attempt = cursor["pending"][0]
            path = f"{address(place)}/actions/runs/{run}/attempts/{attempt}"
            return Call(path, of_one=True)
        since, until = cursor["spans"][0]
        params = {
            "status": _status(cursor),
            "created": f"{since}..{until}",
            "per_page": str(page_size),
            "page": paging.page_of(cursor, page_size),
        }
        return Call(f"{address(place)}/actions/runs", params=params)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor.get("pending"):
            return self._attempt(place, window, cursor, answer)
        page = self._page(place, window, cursor, answer)
        _, items = _runs(answer)
        pending = [before for item in items if (before := _before(item, window)) is not None]
        if not pending or not page.items:
            return page  # a page that is read again brings its attempts then
        return replace(page, next={"pending": pending, "then": page.next})

    def _attempt(
        self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer
    ) -> Page:
        (run, attempt), *others = cursor["pending"]
        records: list[Record] = []
        troubles: list[UnreadableItem] = []
        if answer.status >= 400:
            troubles.append(
                UnreadableItem(f"attempt {attempt} of workflow run {run}", "it is gone")
            )
        else:
            item = answer.data if isinstance(answer.data, dict) else {}
            records, troubles = read_items(self.entity_type, place, [item], _records)
            before = _before(item, window)
            others = [*([before] if before is not None else []), *others]
        following = {**cursor, "pending": others} if others else cursor["then"]
        return Page(records, following, 0, None, troubles)

    def _page(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        total, items = _runs(answer)
        records, troubles = read_items(self.entity_type, place, items, _records)
        span, *others = cursor["spans"]
        parts = _parts(span, total) if total >= _MOST else []
        following: Cursor | None
        if len(parts) > 1:
            following = {"status": _status(cursor), "spans": [*parts, *others], "offset": 0}
            return Page(records, following, 0, None, troubles)
        if cursor["offset"] and total < cursor.get("total", 0):
            again = cursor.get("again", 0) + 1
            if again <= _BEGUN_AGAIN:
                following = {
                    "status": _status(cursor),
                    "spans": cursor["spans"],
                    "offset": 0,
                    "again": again,
                }
                return Page(records, following, 0, None, troubles)
            reason = "runs were started again while it was read: one may be missing"
            troubles.append(UnreadableItem(f"failed runs of {'..'.join(span)}", reason))
        following = paging.after({**cursor, "total": total}, answer, self.page_size)
        if following is None and others:
            following = {"status": _status(cursor), "spans": others, "offset": 0}
        if following is None:
            behind = _FAILED[_FAILED.index(_status(cursor)) + 1 :]
            following = _beginning(window, behind[0]) if behind else None
        moments = [at for item in items if (at := time(item, "created_at")) is not None]
        return Page(records, following, len(items), min(moments, default=None), troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        if len(answers) < len(_FAILED):
            first = _beginning(window, _FAILED[len(answers)])
            return self.call(place, window, first, self.page_size)
        requests = items = 0
        for answer in answers:
            total, listed = _runs(answer)
            attempts = sum(before[1] for item in listed if (before := _before(item, window)))
            requests += max(1, -(-total // self.page_size)) + attempts
            items += total
            if total >= _MOST:
                span = self.start(place, window)["spans"][0]
                requests += 1 + len(_parts(span, total)) // 2
        return Estimate(requests, items)


def _beginning(window: Window, status: str) -> Cursor:
    spans = [[iso(window.since - _EARLIER), iso(window.until)]]
    return {"status": status, "spans": spans, "offset": 0}


def _status(cursor: Cursor) -> str:
    return str(cursor.get("status", _FAILED[0]))


def _before(item: ListedItem, window: Window) -> list[int] | None:
    """The previous attempt, as [run, attempt], if it may have ended in the window."""
    run, attempt = whole(item, "id"), whole(item, "run_attempt") or 1
    ended = time(item, "updated_at")
    if run is None or attempt < 2 or (ended is not None and ended < window.since):
        return None
    return [run, attempt - 1]


def _runs(answer: Answer) -> tuple[int, list[ListedItem]]:
    data = answer.data if isinstance(answer.data, dict) else {}
    total = whole(data, "total_count")
    if total is None or not isinstance(data.get("workflow_runs"), list):
        raise TypeError("a list of workflow runs was expected")
    return total, children(data, "workflow_runs")


def _parts(span: Sequence[str], total: int) -> list[list[str]]:
    """The span cut into even parts, newest first; one part if it is no longer than a second."""
    since, until = (datetime.fromisoformat(end) for end in span)
    seconds = int((until - since).total_seconds())
    count = min(max(2, -(-total // _PART)), seconds + 1)
    if count < 2:
        return [list(span)]
    # If parts shared an end, a run at that moment would be listed twice.
    edges = [since + timedelta(seconds=(seconds + 1) * n // count) for n in range(count + 1)]
    parts = [[iso(begin), iso(end - timedelta(seconds=1))] for begin, end in pairwise(edges)]
    return parts[::-1]


def _records(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    if not item["conclusion"]:
        return  # started again since, and not finished
    run: Json = {
        **kept(item, *_FIELDS),
        "actor": person(item.get("actor")),
        "triggering_actor": person(item.get("triggering_actor")),
        "pull_requests": [_pull(pull) for pull in children(item, "pull_requests")],
    }
    commit, head = child(item, "head_commit"), child(item, "head_repository")
    if commit:
        run["head_commit"] = kept(commit, "id", "message", "timestamp", "author", "committer")
    if head:
        run["head_repository"] = kept(head, "id", "full_name", "html_url")
    payload: dict[str, Any] = {
        "action": "completed",
        "workflow_run": run,
        "repository": repository(place),
    }
    doer = run["triggering_actor"] or run["actor"]
    if doer is not None:
        payload["sender"] = doer
    attempt = whole(item, "run_attempt") or 1
    at = needed_time(item, "updated_at")
    yield Record("workflow_run", payload, at, f"backfill:workflow-run:{int(item['id'])}:{attempt}")


def _pull(pull: ListedItem) -> Json:
    head, base = child(pull, "head"), child(pull, "base")
    return {
        **kept(pull, "id", "number"),
        "head": {**kept(head, "ref", "sha"), "repo": kept(child(head, "repo"), "id", "name")},
        "base": {**kept(base, "ref", "sha"), "repo": kept(child(base, "repo"), "id", "name")},
    }


WALKER = WorkflowRuns()
