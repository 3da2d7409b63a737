"""The vocabulary that providers speak and capture understands: what one payload states.

Plain frozen values only. How a payload is read belongs to its provider, what is made of a
statement belongs to the rules beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lightfast_pipelines.domain.keys import bounded

IngestionSource = Literal["webhook", "api", "backfill", "manual"]
AccountKind = Literal["person", "bot", "organization", "unknown"]

_LAST_RANK = 2**31 - 1


def _bound(value: Any, *names: str) -> None:
    """Bounds what will stand in an index, whoever made it: see `keys.bounded`."""
    for name in names:
        given = getattr(value, name)
        if given is not None and (short := bounded(given)) is not given:
            object.__setattr__(value, name, short)


# Who is believed first when several payloads state one fact.
SOURCE_PRECEDENCE: Mapping[str, int] = {"webhook": 0, "api": 1, "backfill": 2, "manual": 3}


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider, or the name and address that a commit carries.

    `source` is the provider's name, or `git` for a commit's name and address. `source_id` is the
    provider's own stable id, or for `git` what `keys.git_identity` makes. `email_verified` is true
    only where the provider itself vouches for the address.
    """

    source: str
    source_id: str
    username: str | None = None
    email: str | None = None
    name: str | None = None
    avatar_url: str | None = None
    kind: AccountKind = "unknown"
    email_verified: bool = False

    def __post_init__(self) -> None:
        _bound(self, "source_id", "email")


@dataclass(frozen=True, slots=True)
class AccountMention:
    """Another account that takes part: `reviewer`, `assignee`, `co_author`, `committer`, `merged_by`."""

    role: str
    account: Account


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity, named by its canonical key or, while that is unknown, by an alias (a stub).

    `aliases` are the other keys under which it can be referred to: for a thing with a canonical
    key the aliases that it claims, for a stub further aliases to look it up by, most specific first.
    """

    key: str
    name: str | None = None
    url: str | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _bound(self, "key")
        if self.aliases:
            object.__setattr__(self, "aliases", tuple(map(bounded, self.aliases)))


@dataclass(frozen=True, slots=True)
class Mention:
    """An observation mentions a thing. Roles: `subject`, `reference`, `file`, `text`, `label`, ...

    `extractor` says which rule found it (`payload`, `link`, `text`, ...), `evidence` the words.
    """

    thing: Thing
    role: str
    evidence: str | None = None
    confidence: float = 1.0
    extractor: str = "payload"


@dataclass(frozen=True, slots=True)
class Edge:
    """A directed relation `subject -> object`, with a type of design's table (fixes, contains, ...)."""

    subject: Thing
    type: str
    object: Thing
    confidence: float = 1.0
    method: str = "payload"
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """From `at` on, `thing` has `value` in `state_type`. `rank` orders changes at one moment."""

    thing: Thing
    state_type: str
    value: str
    at: datetime
    rank: int = 0
    reason: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _bound(self, "state_type")


# Reason of a change that only says that its value holds no longer: where another holds, it says nothing.
# When a deployment takes an environment over, the one before it is reported as inactive afterwards.
ENDING_REASON = "no longer"


def deletion(thing: Thing, at: datetime, *, is_undone: bool = False) -> StateChange:
    """From `at` on the thing is deleted, or with `is_undone` there again: `domain/existence.py`.

    It ranks behind all else of the same moment: that happened before."""
    value, reason = ("exists", "restored") if is_undone else ("deleted", "deleted")
    return StateChange(thing, "existence", value, at, _LAST_RANK, reason)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the payload itself points at, kept as the analyst's `references` column."""

    type: str
    id: str
    url: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class TextScope:
    """Where the text was written, so that a bare `#12` can be read: a repository.

    `has_numbers` is false where a bare number is another's: a commit that a fork took over from elsewhere.
    """

    repository_id: str
    repository_name: str
    host: str = "github.com"
    is_fork: bool = False
    has_numbers: bool = True


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One of many alike, which are counted rather than told one by one (a single error).

    `series` is the key of what recurs; `event_id` tells occurrences apart. A `restart` is no
    occurrence itself: after it (a regression) the next one stands alone again. It may be told some
    time after the occurrence that caused it: then `since` is from when on it counts.
    """

    series: str
    event_id: str
    restart: bool = False
    since: datetime | None = None

    def __post_init__(self) -> None:
        _bound(self, "series", "event_id")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one payload states about one observation, before the rules have looked at it.

    `source_id` is the identity of the observation (see `keys.source_id`): equal for every payload
    that states the same fact. `link_text` is the part of the text in which closing words count
    (a pull request's title and body, a commit's message); None where they mean nothing.
    `updated_at` is the provider's latest update time in the payload, used to order statements.
    `base_significance` is the event type's own weight (0 to 100).
    `branch` and `paths` are what an integration's settings may filter by; None means "has none".
    `part` is the key of what of the subject it tells of and that can be deleted alone (a comment).
    `written_at` is set where the text is older than what happened (a pull request's, when it is merged).
    """

    source_id: str
    source: str
    source_type: str
    subject: Thing
    occurred_at: datetime
    title: str
    content: str = ""
    base_significance: int = 35
    actor: Account | None = None
    author: Account | None = None
    accounts: tuple[AccountMention, ...] = ()
    references: tuple[Reference, ...] = ()
    mentions: tuple[Mention, ...] = ()
    edges: tuple[Edge, ...] = ()
    states: tuple[StateChange, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None
    scope: TextScope | None = None
    link_text: str | None = None
    branch: str | None = None
    paths: tuple[str, ...] | None = None
    occurrence: Occurrence | None = None
    part: str | None = None
    written_at: datetime | None = None

    def __post_init__(self) -> None:
        _bound(self, "source_id", "source_type", "part")

    @property
    def read_at(self) -> datetime:
        """When its text was written, as far as it is known: names in it mean what they meant then."""
        return self.written_at or self.occurred_at


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """A change of a connection or of a resource itself: never an observation.

    `subject_kind` is `installation` or `resource`, `subject_id` the provider's id of it.
    `change` is one of `active`, `suspended`, `removed`, `renamed`, `transferred`, `archived`, `unarchived`;
    `value` carries what it became ({"name": ..., "account_login": ...}); `reason` is for an operator.
    `occurred_at` is None where the payload names no time: then that of receipt stands in.
    """

    subject_kind: Literal["installation", "resource"]
    subject_id: str
    change: str
    occurred_at: datetime | None
    reason: str
    value: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _bound(self, "subject_id", "change")


@dataclass(frozen=True, slots=True)
class NameClaim:
    """At a time, a place (a repository) was called by a name.

    `alias` is the key by that name (`github:ref:acme/shop`), `place` the key by its id, `shown` the
    name as people read it. `at` is None where the payload names no time: then that of receipt counts.
    `is_weak`: it counts only for the time before anything surer is known of the name.
    """

    alias: str
    place: str
    shown: str
    at: datetime | None
    is_weak: bool = False

    def __post_init__(self) -> None:
        _bound(self, "alias", "place")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a payload belongs, from its own ids.

    `resource_key` is `{provider}:{kind}:{id}` (`github:repository:1296269`): the linked resource it is
    routed by. `resource_name` is its display name, `resource_meta` what the payload says of it.
    `alternatives` are wider resources it belongs to, as (resource_key, resource_id): a link to any of
    them is reached as well. `via` is the key of an entity through which it is routed where it names
    no linked resource itself (a comment through its issue): it goes where that entity's own
    observations went, and is parked until there are some.
    `by_hand`: wider than one resource (a team), so only a person links it, never an ingested line.
    `names` is what the payload says of the names of places, of its own and of others.
    """

    resource_key: str
    resource_id: str
    resource_name: str | None = None
    installation_id: str | None = None
    resource_meta: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[tuple[str, str], ...] = ()
    via: str | None = None
    by_hand: bool = False
    names: tuple[NameClaim, ...] = ()

    def __post_init__(self) -> None:
        _bound(self, "resource_key", "resource_id", "via")
        if self.alternatives:
            bound = tuple((bounded(key), bounded(one)) for key, one in self.alternatives)
            object.__setattr__(self, "alternatives", bound)


@dataclass(frozen=True, slots=True)
class Understood:
    """The payload became statements (possibly none: then `reason` says why, and it is filtered)."""

    statements: tuple[Statement, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """Understood, and nothing to remember: `reason` says why (`ping`, `action labeled is not kept`)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A shape or event that is not known yet; kept until a higher rule version knows it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Changes connections or resources; its outcome is `filtered` with a reason that says so."""

    events: tuple[LifecycleEvent, ...]
    reason: str


Reading = Understood | Filtered | Parked | Lifecycle
