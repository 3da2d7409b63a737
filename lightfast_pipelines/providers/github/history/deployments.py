"""Deployments, and what was reported of each: one request for a page of them, one for each one's statuses.

GitHub's GraphQL API tells statuses beside their deployments, but not the numbers by which webhooks
name them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lightfast_pipelines.providers import paging
from lightfast_pipelines.providers.fields import first_time, time
from lightfast_pipelines.providers.github.history.listing import (
    Item,
    items_of,
    kept,
    needed_time,
    told,
)
from lightfast_pipelines.providers.github.history.people import person
from lightfast_pipelines.providers.github.history.place import address, repository
from lightfast_pipelines.providers.history import (
    Answer,
    Call,
    Cursor,
    Estimate,
    Json,
    Page,
    Place,
    Record,
    Window,
)

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
    """`history.Walker`. Those of a page whose statuses are still to be asked for stand in the cursor's
    `pending`, as the statuses alone do not say what was deployed: so the pages are short."""

    entity_type = "deployment"
    page_size = 20

    def start(self, place: Place, window: Window) -> Cursor:  # noqa: ARG002
        return {"offset": 0}

    def call(
        self,
        place: Place,
        window: Window,  # noqa: ARG002 - newest first, down to where the window begins
        cursor: Cursor,
        page_size: int,
    ) -> Call:
        base = f"{address(place)}/deployments"
        if cursor.get("pending"):
            size = max(1, min(_STATUSES, _STATUSES * page_size // self.page_size))
            page = paging.page_of({"offset": cursor.get("statuses", 0)}, size)
            params = {"per_page": str(size), "page": page}
            return Call(f"{base}/{cursor['pending'][0]['id']}/statuses", params=params)
        return _list_call(place, paging.page_of(cursor, page_size), page_size)

    def read(self, place: Place, window: Window, cursor: Cursor, answer: Answer) -> Page:
        items = items_of(answer)
        if cursor.get("pending"):
            return self._statuses(place, cursor, answer, items)
        records, troubles = told(self.entity_type, place, items, _created)
        following = paging.after({"offset": cursor["offset"]}, answer, self.page_size)
        end = _oldest(items)
        if end is not None and end < window.since:
            following = None
        pending = [_deployment(item) for item in items if _may_have_statuses(item, window)]
        after = {"pending": pending, "then": following} if pending else following
        return Page(records, after, len(items), end, troubles)

    def _statuses(self, place: Place, cursor: Cursor, answer: Answer, items: list[Item]) -> Page:
        deployment, *others = cursor["pending"]

        def status(place: Place, item: Item) -> Iterator[Record]:
            yield _status(place, deployment, item)

        records, troubles = told("deployment_status", place, items, status)
        following: Mapping[str, Any] | None = cursor["then"]
        if "next" in paging.links(answer.headers):
            # From where the page really ends: an offset need be no multiple of a size that was halved.
            size = paging.page_size_of(answer, _STATUSES)
            end = (int(cursor.get("statuses", 0)) // size + 1) * size
            following = {"pending": cursor["pending"], "then": following, "statuses": end}
        elif others:
            following = {"pending": others, "then": following}
        return Page(records, following, 0, time(deployment, "created_at"), troubles)

    def probe(self, place: Place, window: Window, answers: Sequence[Answer]) -> Call | Estimate:
        """The pages, and a request for each deployment: counted on the last page, full on the others."""
        found = paging.estimate_newest_first(
            answers,
            lambda number: _list_call(place, str(number), self.page_size),
            lambda answer: len(items_of(answer)),
            lambda answer: _oldest(items_of(answer)),
            window.since,
        )
        if isinstance(found, Call):
            return found
        pages = {paging.page_number(answer): items_of(answer) for answer in answers}
        wanted = 0
        for number in range(1, found.requests + 1):
            if number in pages:
                wanted += sum(_may_have_statuses(item, window) for item in pages[number])
            elif not _is_newer(pages, number, window):
                wanted += self.page_size
        return Estimate(found.requests + wanted, found.items, exact=False)


def _list_call(place: Place, page: str, page_size: int) -> Call:
    params = {"per_page": str(page_size), "page": page}
    return Call(f"{address(place)}/deployments", params=params)


def _oldest(items: Sequence[Item]) -> datetime | None:
    moments = [at for item in items if (at := time(item, "created_at")) is not None]
    return min(moments, default=None)


def _is_newer(pages: Mapping[int, Sequence[Item]], number: int, window: Window) -> bool:
    """Whether a page that was not looked at is newer than the window, by the next one that was."""
    known = [oldest for n in sorted(pages) if n > number and (oldest := _oldest(pages[n]))]
    return bool(known) and known[0] >= window.until


def _may_have_statuses(item: Item, window: Window) -> bool:
    """A deployment's last change is its last status; before it was made there was none."""
    made, changed = time(item, "created_at"), first_time(item, "updated_at", "created_at")
    return (
        item.get("id") is not None
        and (made is None or made < window.until)
        and (changed is None or changed >= window.since)
    )


def _deployment(item: Item) -> Json:
    return {**kept(item, *_FIELDS), "creator": person(item.get("creator"))}


def _created(place: Place, item: Item) -> Iterator[Record]:
    payload = {
        "action": "created",
        "deployment": {**_deployment(item), "updated_at": item["created_at"]},
        "repository": repository(place),
        "sender": person(item.get("creator")),
    }
    identity = int(item["id"])
    at = needed_time(item, "created_at")
    yield Record("deployment", payload, at, f"backfill:deployment:{identity}:created")


def _status(place: Place, deployment: Json, item: Item) -> Record:
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
