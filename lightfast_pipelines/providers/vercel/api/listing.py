"""Requests for Vercel's deployments, and the parts of their answers that walk and sweep both read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource
from lightfast_pipelines.providers.fields import child, first_time, whole

_TEAM = re.compile(r"team_[A-Za-z0-9]{1,100}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
LARGEST_PAGE = 100


def is_team(place: LinkedResource) -> bool:
    return _TEAM.fullmatch(place.resource_id) is not None


def team_of(place: LinkedResource) -> str | None:
    """The team to ask on behalf of: without it, Vercel hides a team's deployments."""
    raw = child(place.account, "raw")
    ids = [place.resource_id, place.installation_id, place.account_login]
    for source in (place.meta, place.account, raw):
        ids += [source.get(name) for name in ("teamId", "team_id", "team", "account_id")]
        ids.append(child(source, "team").get("id"))
    return next((name for name in ids if isinstance(name, str) and _TEAM.fullmatch(name)), None)


def team_params(place: LinkedResource) -> dict[str, str]:
    team = team_of(place)
    return {} if team is None else {"teamId": team}


def list_call(place: LinkedResource, **params: int) -> Call:
    """A page of the project's or the team's deployments, newest first.

    Raises ValueError if the resource is neither a project nor a team."""
    if not _ID.fullmatch(place.resource_id):
        raise ValueError(
            f"Vercel: {place.resource_id[:100]!r} is neither a project's id (prj_...) nor a team's "
            "(team_...): link the resource by its id"
        )
    project = {} if is_team(place) else {"projectId": place.resource_id}
    given = {name: str(value) for name, value in params.items()}
    return Call("/v7/deployments", params={**project, **team_params(place), **given})


def single_call(place: LinkedResource, deployment: str) -> Call:
    return Call(f"/v13/deployments/{deployment}", params=team_params(place), of_one=True)


def items_of(answer: Answer) -> list[Mapping[str, Any]]:
    """Raises ValueError if the answer has no list of deployments."""
    data = answer.data if isinstance(answer.data, dict) else {}
    items = data.get("deployments")
    if not isinstance(items, list):
        raise ValueError("no list `deployments`")
    return [item if isinstance(item, dict) else {} for item in items]


def next_until(answer: Answer) -> int | None:
    """The `until` of the next page."""
    return whole(child(answer.data, "pagination"), "next")


def creation_times(items: Sequence[Mapping[str, Any]]) -> list[datetime]:
    return [at for item in items if (at := first_time(item, "created", "createdAt")) is not None]


def milliseconds(moment: datetime) -> int:
    """The first whole millisecond that is not before the moment."""
    since_1970 = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return -(-round(since_1970 / timedelta(microseconds=1)) // 1000)
