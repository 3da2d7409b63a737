"""Deployments and their statuses: one request for a page of deployments, one for the statuses of each.

GitHub's GraphQL API lists statuses together with their deployments, but without the ids that webhooks
have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
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
from lightfast_pipelines.providers.fields import first_time, time
from lightfast_pipelines.providers.github.api.listing import (
    ListedItem,
    items_of,
    kept,
    needed_time,
    read_items,
)
from lightfast_pipelines.providers.github.api.people import person
from lightfast_pipelines.providers.github.api.place import address, repository

_FIELDS = (
    *("id", "sha", "ref", "task", "environment", "original_environment", "description"),
    *("production_environment", "transient_environment", "created_at"),
)
_STATUS = (
    *("id", "state", "description", "environment", "target_url", "environment_url", "log_url"),
    *("created_at", "updated_at"),
)
_STATUSES = 100


class Deployments:
    """A `Walker`. The cursor's `pending` holds the deployments of a page whose statuses are not fetched
    yet, because statuses alone do not say what was deployed. This is why pages are short.

    If a deployment was deleted after it was listed, the walk reads the page `at` its position once
    more, because other deployments have moved forward onto it, and leaves out what is `done`. If the
    whole repository is gone, that request fails."""

    entity_type = "deployment"
    page_size = 20

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        return {"offset": 0}

    def call(
        self,
        place: LinkedResource,
        window: Window,  # newest first, down to the start of the window
        cursor: Cursor,
        page_size: int,
    ) -> Call:
        base = f"{address(place)}/deployments"
        if cursor.get("pending"):
            size = max(1, min(_STATUSES, _STATUSES * page_size // self.page_size))
            page = paging.page_of({"offset": cursor.get("statuses", 0)}, size)
            params = {"per_page": str(size), "page": page}
            path = f"{base}/{cursor['pending'][0]['id']}/statuses"
            return Call(path, params=params, of_one=True)
        return _list_call(place, paging.page_of(cursor, page_size), page_size)

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        if cursor.get("pending"):
            if answer.status >= 400:
                return _gone(cursor)
            return self._statuses(place, cursor, answer, items_of(answer))
        items = items_of(answer)
        records, troubles = read_items(self.entity_type, place, items, _created)
        following = paging.after({"offset": cursor["offset"]}, answer, self.page_size)
        end = _oldest(items)
        if end is not None and end < window.since and not _changed_since(items, window.since):
            following = None
        done = cursor.get("done", [])
        pending = [
            _deployment(item)
            for item in items
            if _may_have_statuses(item, window) and item["id"] not in done
        ]
        here = {"then": following, "at": cursor["offset"], "done": done}
        after = {"pending": pending, **here} if pending else following
        return Page(records, after, len(items), end, troubles)

    def _statuses(
        self, place: LinkedResource, cursor: Cursor, answer: Answer, items: list[ListedItem]
    ) -> Page:
        deployment, *remaining = cursor["pending"]

        def status(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
            yield _status(place, deployment, item)

        records, troubles = read_items("deployment_status", place, items, status)
        following: Mapping[str, Any] | None = cursor["then"]
        if "next" in paging.links(answer.headers):
            # From the real end of the page: an offset may not be a multiple of a page size that was halved.
            size = paging.page_size_of(answer, _STATUSES)
            end = (int(cursor.get("statuses", 0)) // size + 1) * size
            following = {**cursor, "statuses": end}
        elif remaining:
            rest = {name: value for name, value in cursor.items() if name != "statuses"}
            following = {**rest, "pending": remaining, "done": _done(cursor)}
        return Page(records, following, 0, time(deployment, "created_at"), troubles)

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """The pages, and a request for each deployment; every page but the last is assumed to be full."""
        estimate = paging.estimate_newest_first(
            answers,
            lambda number: _list_call(place, str(number), self.page_size),
            lambda answer: len(items_of(answer)),
            lambda answer: _reached(items_of(answer), window.since),
            window.since,
        )
        if isinstance(estimate, Call):
            return estimate
        pages = {paging.page_number(answer): items_of(answer) for answer in answers}
        wanted = 0
        for number in range(1, estimate.requests + 1):
            if number in pages:
                wanted += sum(_may_have_statuses(item, window) for item in pages[number])
            elif not _is_newer(pages, number, window):
                wanted += self.page_size
        return Estimate(estimate.requests + wanted, estimate.items, exact=False)


def _gone(cursor: Cursor) -> Page:
    identity = cursor["pending"][0]["id"]
    gone = UnreadableItem(f"statuses of deployment {identity}", "it was deleted while it was read")
    following: Cursor | None = {"offset": cursor.get("at", 0), "done": _done(cursor)}
    return Page([], following, 0, None, [gone])


def _done(cursor: Cursor) -> list[Any]:
    return [*cursor.get("done", []), cursor["pending"][0]["id"]]


def _list_call(place: LinkedResource, page: str, page_size: int) -> Call:
    params = {"per_page": str(page_size), "page": page}
    return Call(f"{address(place)}/deployments", params=params)


def _oldest(items: Sequence[ListedItem]) -> datetime | None:
    moments = [at for item in items if (at := time(item, "created_at")) is not None]
    return min(moments, default=None)


def _is_newer(pages: Mapping[int, Sequence[ListedItem]], number: int, window: Window) -> bool:
    """Whether a page that was not fetched is newer than the window, judged by the next page that was."""
    moments = [oldest for n in sorted(pages) if n > number and (oldest := _oldest(pages[n]))]
    return bool(moments) and moments[0] >= window.until


def _changed_since(items: Sequence[ListedItem], since: datetime) -> bool:
    """Whether one of the deployments has a status since the start of the window.

    A deployment becomes inactive when another one replaces it, so one that was made before the window can
    have a status in it. Where a whole page has none, older deployments are assumed to have none."""
    return any(
        (changed := first_time(item, "updated_at", "created_at")) is not None and changed >= since
        for item in items
    )


def _reached(items: Sequence[ListedItem], since: datetime) -> datetime | None:
    """How far back the walk has come; never before the start of the window while it goes on."""
    oldest = _oldest(items)
    return since if oldest and oldest < since and _changed_since(items, since) else oldest


def _may_have_statuses(item: ListedItem, window: Window) -> bool:
    """Whether a deployment can have statuses in the window: its last change is its last status."""
    created, changed = time(item, "created_at"), first_time(item, "updated_at", "created_at")
    return (
        item.get("id") is not None
        and (created is None or created < window.until)
        and (changed is None or changed >= window.since)
    )


def _deployment(item: ListedItem) -> Json:
    return {**kept(item, *_FIELDS), "creator": person(item.get("creator"))}


def _created(place: LinkedResource, item: ListedItem) -> Iterator[Record]:
    payload = {
        "action": "created",
        "deployment": {**_deployment(item), "updated_at": item["created_at"]},
        "repository": repository(place),
        "sender": person(item.get("creator")),
    }
    identity = int(item["id"])
    at = needed_time(item, "created_at")
    yield Record("deployment", payload, at, f"backfill:deployment:{identity}:created")


def _status(place: LinkedResource, deployment: Json, item: ListedItem) -> Record:
    creator = person(item.get("creator"))
    payload = {
        "action": "created",
        "deployment_status": {**kept(item, *_STATUS), "creator": creator},
        "deployment": {**deployment, "updated_at": item["created_at"]},
        "repository": repository(place),
        "sender": creator,
    }
    at = needed_time(item, "created_at")
    return Record("deployment_status", payload, at, f"backfill:deployment-status:{int(item['id'])}")


WALKER = Deployments()
