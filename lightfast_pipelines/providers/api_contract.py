"""What a provider must be able to say of its API's history: what to ask, and what an answer holds.

Sans I/O: calls and answers are values. Who sends them, waits for a budget, tries again, stores the
records and remembers how far it came stands in `backfill/` and `provider_api/`. A provider's folder
exposes `API` in its package `api`, where `discover_apis` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Protocol

from lightfast_pipelines import providers
from lightfast_pipelines.settings import Settings

Json = dict[str, Any]
Cursor = Mapping[str, Any]
"""Where a walk stands: JSON that a walker makes and only that walker reads."""


@dataclass(frozen=True, slots=True)
class LinkedResource:
    """A linked resource and the connection that gives access to it.

    `account` is `installations.provider_account_info`, `meta` `resources.resource_meta`.
    """

    provider: str
    resource_id: str
    resource_name: str | None
    meta: Mapping[str, Any] = field(default_factory=dict)
    installation_id: str = ""
    account_login: str | None = None
    account: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` on, before `until`; both in UTC."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is relative to the API's base address, or an absolute address.

    `pool` is the provider's rate limit that it counts against, `cost` what it is thought to cost
    there. `etag` is sent as If-None-Match.

    `of_one`: a single thing is asked for. That it is gone (404, 410, 451) is an answer then, which
    whoever asks must read, and that it moved says nothing about its neighbours.
    """

    path: str
    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool: str = "core"
    cost: float = 1.0
    etag: str | None = None
    of_one: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` have lower-case names; `data` is the parsed body (None where there is none).

    `nothing`: by the provider's words, there is nothing to list (`AnswerOutcome.NOTHING`).
    """

    status: int
    headers: Mapping[str, str]
    data: Any = field(repr=False)
    url: str = ""
    nothing: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A fact of the history, shaped as the provider's webhook would have told it.

    `delivery_id` is a function of the fact alone (`backfill:{kind}:{id}:{transition}`), so that the
    same fact read again is the same row. `occurred_at` names its day.
    """

    event_type: str
    payload: Json
    occurred_at: datetime
    delivery_id: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item of a page that could not be made into a record: which, and why."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """What an answer holds. `next` is None where the walk has reached the window's end.

    Records outside the window are left out by whoever stores them. `reached` is the moment that the
    walk has come to, for its progress; `items` counts what the provider sent. `etag` is given with the
    first page of a list that shows whatever is new: where it is still the same, nothing is.
    """

    records: Sequence[Record]
    next: Cursor | None
    items: int
    reached: datetime | None = None
    troubles: Sequence[UnreadableItem] = ()
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a walk is expected to take. `records` is the provider's own total where it has one."""

    requests: int
    items: int
    cost: float = 0.0
    exact: bool = False


class AnswerOutcome(StrEnum):
    """What an answer means for whoever asked. Each has one way to go on."""

    OK = "ok"
    UNCHANGED = "unchanged"  # 304: nothing new since the ETag
    NOTHING = "nothing"  # there is nothing here, or the feature is switched off: a full answer
    CREDENTIAL = "credential"  # 401: final for the credential
    FORBIDDEN = "forbidden"  # 403 that no limit explains: final for this unit
    MISSING = (
        "missing"  # 404, 410, 451: final for the resource, or the one thing that was asked for
    )
    MOVED = "moved"  # 301, 307, 308: the address to ask instead
    LIMITED = "limited"  # 429, a secondary limit: wait, then again
    HEAVY = "heavy"  # too much for one answer: a smaller page, then again
    UNAVAILABLE = "unavailable"  # 5xx: again, a few times
    INVALID = "invalid"  # 400, 422: final for this unit
    MALFORMED = "malformed"  # not the provider's format: again, a few times


@dataclass(frozen=True, slots=True)
class Verdict:
    """`message` is for an operator and holds no secret. `retry_after` is in seconds."""

    outcome: AnswerOutcome
    message: str = ""
    retry_after: float | None = None
    location: str | None = None


STATUS_OUTCOMES: Mapping[int, AnswerOutcome] = {
    301: AnswerOutcome.MOVED,
    302: AnswerOutcome.MOVED,
    304: AnswerOutcome.UNCHANGED,
    307: AnswerOutcome.MOVED,
    308: AnswerOutcome.MOVED,
    401: AnswerOutcome.CREDENTIAL,
    403: AnswerOutcome.FORBIDDEN,
    404: AnswerOutcome.MISSING,
    408: AnswerOutcome.UNAVAILABLE,
    410: AnswerOutcome.MISSING,
    429: AnswerOutcome.LIMITED,
    451: AnswerOutcome.MISSING,
}
"""What a status means where nothing else in the answer says so (RFC 9110)."""


def outcome_of_status(status: int, own: Mapping[int, AnswerOutcome] | None = None) -> AnswerOutcome:
    """What a status that is no success means; `own` are those to which the provider gives a meaning
    of its own."""
    default = AnswerOutcome.UNAVAILABLE if status >= 500 else AnswerOutcome.INVALID
    return (own or {}).get(status) or STATUS_OUTCOMES.get(status, default)


HOUR = timedelta(hours=1)
_WINDOWS = (timedelta(seconds=1), timedelta(minutes=1), HOUR, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Limit:
    """What an answer says of one pool: at most, left, and when it is full again (UTC).

    `window` is the time for which `limit` counts: 40 may be 40 a second or 40 an hour.
    """

    pool: str
    limit: float
    remaining: float
    resets_at: datetime
    window: timedelta = HOUR


def window_of(until_reset: timedelta) -> timedelta:
    """The window of a limit whose provider says only when it is full again: the shortest of the usual
    ones (second, minute, hour, day) that reaches so far. Times of reset are told in whole seconds."""
    reach = until_reset - timedelta(seconds=1)
    return next((one for one in _WINDOWS if reach <= one), _WINDOWS[-1])


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """What a resource is called today, and what else its payloads would say of it."""

    name: str | None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Walker(Protocol):
    """Walks one entity type of one resource. Every method is a pure function."""

    @property
    def entity_type(self) -> str:
        """Stable name, as in `backfill_coverage.entity_type`: `pull_request`."""
        ...

    @property
    def page_size(self) -> int:
        """Items asked for at first; halved while a page is too heavy, down to 1."""
        ...

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        """Where the walk begins."""
        ...

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        """The request for the page at `cursor`. Raises ValueError where the place lacks what is needed."""
        ...

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        """What a good answer holds, and where to go on."""
        ...

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """The next request of the estimate, given the answers so far; at last the estimate.

        At most a dozen requests, most often one or two."""
        ...


@dataclass(frozen=True, slots=True)
class Credential:
    """An opened credential: never logged, never stored like this. `kind` is one of the provider's."""

    kind: str
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppKeys:
    """What the settings know of the application that the credential belongs to."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new access token; `refresh_token` None: the old one goes on."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class ProviderApi(Protocol):
    """One provider's API. What most providers do alike has a body here; the others override it."""

    provider: str
    walkers: Sequence[Walker]
    credential_kinds: Sequence[str]
    """Kinds of credentials it takes; the first is meant where none is named."""

    def base_url(self, configured: Mapping[str, str]) -> str:
        """Address of the API, from the settings (`GITHUB_API_URL`, ...) or the provider's own."""
        ...

    def address(self, base_url: str, path: str) -> str:
        """Where a call's relative path is asked; `base_url` has no slash at its end."""
        return f"{base_url}/{path.lstrip('/')}"

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """The headers that carry the credential."""
        ...

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """What the answer means; also of GraphQL's errors inside a 200."""
        ...

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """What it says of rate limits, each in its own unit; empty where it says nothing."""
        return ()

    def identify(self, place: LinkedResource) -> Call | None:
        """Asks for a resource itself, before its things are: it may be renamed. None: it has no such
        request."""
        return None

    def identified(self, answer: Answer) -> ResourceIdentity:
        """What a good answer to `identify` says. Raises ValueError or TypeError."""
        raise ValueError(f"{self.provider} is not asked for a resource itself")

    def itself(self, place: LinkedResource, missing: Call) -> Call | None:
        """For lists that answer 404 both where the resource is gone and where it lacks a feature: a
        request that succeeds as long as the resource is there, whatever its features are.

        None where `missing` asks for what no resource lacks. Raises ValueError where the place lacks
        what is needed."""
        return None

    def app_keys(self, settings: Settings) -> AppKeys:
        """What the settings say of the application whose tokens are renewed."""
        return AppKeys()

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        """The request for a new access token of the installation `place_id`; None: it cannot be renewed.

        Raises ValueError, with what to set, where the settings lack something."""
        return None

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        """What a good answer to `refresh` gives. Raises ValueError."""
        raise ValueError(f"{self.provider}'s tokens are not renewed: set a new one")


@cache
def discover_apis() -> dict[str, ProviderApi]:
    """Name -> API, for each provider whose folder has one."""
    return providers.discover_part("api", "API")
