"""The contract of a provider's API: which requests read its history, and what an answer means.

It does no I/O: calls and answers are values. `provider_api/` sends calls, keeps budgets and retries;
`backfill/` stores records and cursors. A provider's folder exposes `API` in its package `api`, where
`discover_apis` finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Protocol

from lightfast_pipelines import providers
from lightfast_pipelines.settings import Settings

Json = dict[str, Any]
Cursor = Mapping[str, Any]
"""The position of a walk: JSON that one walker makes and only that walker reads."""


@dataclass(frozen=True, slots=True)
class LinkedResource:
    """A linked resource and the installation that gives access to it.

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

    `pool` is the rate limit that it counts against, `cost` what it is expected to cost there. `etag` is
    sent as If-None-Match.

    `of_one`: it asks for a single thing. Then 404, 410 and 451 are good answers, which the caller must
    read, and a redirect says nothing about the thing's neighbours.
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
    """`headers` have lower-case names; `data` is the parsed body (None if there is none).

    `nothing` is the provider's message that there is nothing to list (`AnswerOutcome.NOTHING`).
    """

    status: int
    headers: Mapping[str, str]
    data: Any = field(repr=False)
    url: str = ""
    nothing: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A fact of the history, shaped like the webhook that would have reported it.

    `delivery_id` is a function of the fact alone (`backfill:{kind}:{id}:{transition}`), so that reading
    the fact again gives the same row. `occurred_at` determines its day.
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
    """What an answer holds. `next` is None if the walk has reached the window's end.

    The walk leaves out records outside the window. `reached` is how far back the walk has come, to
    report progress; `items` counts what the provider sent. `etag` is given with the first page if
    everything new would be on it: while it stays the same, nothing is new.
    """

    records: Sequence[Record]
    next: Cursor | None
    items: int
    reached: datetime | None = None
    troubles: Sequence[UnreadableItem] = ()
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a walk is expected to cost. `exact`: the numbers are the provider's own totals."""

    requests: int
    items: int
    cost: float = 0.0
    exact: bool = False


class AnswerOutcome(StrEnum):
    """What an answer means; each outcome calls for one reaction."""

    OK = "ok"
    UNCHANGED = "unchanged"  # 304: nothing new since the ETag
    NOTHING = "nothing"  # nothing here, or the feature is switched off: a complete answer
    CREDENTIAL = "credential"  # 401: final for the credential
    FORBIDDEN = "forbidden"  # 403 that no limit explains: final for this unit
    MISSING = "missing"  # 404, 410, 451: final for the resource, or for a single thing
    MOVED = "moved"  # 301, 307, 308: the address to ask instead
    LIMITED = "limited"  # 429, a secondary limit: wait, then retry
    HEAVY = "heavy"  # too much for one answer: ask for a smaller page
    UNAVAILABLE = "unavailable"  # 5xx: retry a few times
    INVALID = "invalid"  # 400, 422: final for this unit
    MALFORMED = "malformed"  # not the provider's format: retry a few times


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
"""What a status means unless something else in the answer says more (RFC 9110)."""


def outcome_of_status(status: int, own: Mapping[int, AnswerOutcome] | None = None) -> AnswerOutcome:
    """What a status other than success means. `own` are the statuses that mean something else at this
    provider."""
    default = AnswerOutcome.UNAVAILABLE if status >= 500 else AnswerOutcome.INVALID
    return (own or {}).get(status) or STATUS_OUTCOMES.get(status, default)


HOUR = timedelta(hours=1)
_WINDOWS = (timedelta(seconds=1), timedelta(minutes=1), HOUR, timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Limit:
    """What an answer says about one rate limit; `resets_at` is when it is full again (UTC).

    `window` is the time that `limit` counts for: 40 may be 40 a second or 40 an hour.
    """

    pool: str
    limit: float
    remaining: float
    resets_at: datetime
    window: timedelta = HOUR


def window_of(until_reset: timedelta) -> timedelta:
    """The window of a limit whose provider gives only the time of reset, in whole seconds: the shortest of
    second, minute, hour and day that reaches that far."""
    reach = until_reset - timedelta(seconds=1)
    return next((window for window in _WINDOWS if reach <= window), _WINDOWS[-1])


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """A resource's current name, and what else its payloads would say about it."""

    name: str | None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Walker(Protocol):
    """Walks one entity type of one resource. Every method is a pure function."""

    @property
    def entity_type(self) -> str:
        """A stable name, stored in `backfill_coverage.entity_type`: `pull_request`."""
        ...

    @property
    def page_size(self) -> int:
        """How many items the first request asks for; halved while a page is too heavy, down to 1."""
        ...

    def start(self, place: LinkedResource, window: Window) -> Cursor:
        """The cursor of the first page."""
        ...

    def call(self, place: LinkedResource, window: Window, cursor: Cursor, page_size: int) -> Call:
        """The request for the page at `cursor`. Raises ValueError if `place` lacks something."""
        ...

    def read(self, place: LinkedResource, window: Window, cursor: Cursor, answer: Answer) -> Page:
        """What a good answer holds, and the next cursor."""
        ...

    def probe(
        self, place: LinkedResource, window: Window, answers: Sequence[Answer]
    ) -> Call | Estimate:
        """The next request of the estimate after these answers, or the estimate itself.

        Usually one or two requests, at most a dozen."""
        ...


@dataclass(frozen=True, slots=True)
class Credential:
    """An unsealed credential, which is never logged or stored. `kind` is one of the provider's."""

    kind: str
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppKeys:
    """The settings of the application that a credential belongs to."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new access token. With `refresh_token` None the old refresh token stays valid."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class ProviderApi(Protocol):
    """One provider's API. Methods with a body do what most providers need; the others override them."""

    provider: str
    walkers: Sequence[Walker]
    credential_kinds: Sequence[str]
    """The kinds of credentials that it takes; the first is the default."""
    minted_kinds: Collection[str] = ()
    """Those without a token of their own: the application's key makes their tokens."""

    def base_url(self, configured: Mapping[str, str]) -> str:
        """The API's address, from the settings (`GITHUB_API_URL`, ...) or the provider's public one."""
        ...

    def address(self, base_url: str, path: str) -> str:
        """The address of a call's relative path; `base_url` does not end in a slash."""
        return f"{base_url}/{path.lstrip('/')}"

    def authorize(self, credential: Credential) -> Mapping[str, str]:
        """The headers that carry the credential."""
        ...

    def verdict(self, call: Call, answer: Answer, now: datetime) -> Verdict:
        """What the answer means, including GraphQL's errors inside a 200."""
        ...

    def limits(self, call: Call, answer: Answer, now: datetime) -> Sequence[Limit]:
        """The rate limits that the answer states, each in its own unit; empty if it states none."""
        return ()

    def identify(self, place: LinkedResource) -> Call | None:
        """The request for the resource itself, which may have been renamed. None: there is none."""
        return None

    def identified(self, answer: Answer) -> ResourceIdentity:
        """What a good answer to `identify` says. Raises ValueError or TypeError."""
        raise ValueError(f"{self.provider} is not asked for a resource itself")

    def existence_check(self, place: LinkedResource, missing: Call) -> Call | None:
        """A request that succeeds as long as the resource exists, whatever features it has.

        For lists that answer 404 both when the resource is gone and when it lacks a feature. None if
        every resource has what `missing` is about. Raises ValueError if `place` lacks something."""
        return None

    def app_keys(self, settings: Settings) -> AppKeys:
        """The settings of the application whose tokens are renewed."""
        return AppKeys()

    def refresh(
        self, credential: Credential, keys: AppKeys, place_id: str, now: datetime
    ) -> Call | None:
        """The request for a new token of the installation `place_id`; None: it cannot be renewed.

        Raises a ValueError that says what to set if the settings lack something."""
        return None

    def refreshed(self, credential: Credential, answer: Answer, now: datetime) -> Renewed:
        """The token in a good answer to `refresh`. Raises ValueError."""
        raise ValueError(f"{self.provider}'s tokens are not renewed: set a new one")


@cache
def discover_apis() -> dict[str, ProviderApi]:
    """Name -> API, for each provider whose folder has one."""
    return providers.discover_part("api", "API")
