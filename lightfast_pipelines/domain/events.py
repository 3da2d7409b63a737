"""The values that providers hand to capture: what one payload states.

Plain frozen values only. Providers make them of payloads; the rules in this folder read them. A batch has
100,000 of them, and msgspec makes and compares one in an eighth of the time that a dataclass takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import force_setattr

from lightfast_pipelines.domain.keys import ALWAYS_FITS, bounded

IngestionSource = Literal["webhook", "api", "backfill", "manual"]
AccountKind = Literal["person", "bot", "organization", "unknown"]

_LAST_RANK = 2**31 - 1


def _bound(value: Struct, *names: str) -> None:
    """Bounds fields that will be indexed: see `keys.bounded`."""
    for name in names:
        key = getattr(value, name)
        if key is not None and len(key) > ALWAYS_FITS:
            force_setattr(value, name, bounded(key))


# Precedence of sources where several payloads state one fact; the lowest wins.
SOURCE_PRECEDENCE: Mapping[str, int] = {"webhook": 0, "api": 1, "backfill": 2, "manual": 3}


class Account(Struct, frozen=True):
    """An account at a provider, or the name and address that a commit carries.

    `source` is the provider's name, or `git` for a commit's name and address. `source_id` is the
    provider's stable id, or for `git` the result of `keys.git_identity`. `email_verified` is true
    only where the provider itself verified the address.
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


class AccountMention(Struct, frozen=True):
    """Another account that takes part: `reviewer`, `assignee`, `co_author`, `committer`, `merged_by`."""

    role: str
    account: Account


class Thing(Struct, frozen=True):
    """An entity, named by its key or, while that is unknown, by an alias (a stub).

    `aliases` are other keys that refer to it: for an entity with its own key the aliases that it
    claims, for a stub further aliases to look it up by, the most specific first.
    """

    key: str
    name: str | None = None
    url: str | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Written out, because most of the values that are made are things.
        if len(self.key) > ALWAYS_FITS:
            force_setattr(self, "key", bounded(self.key))
        for alias in self.aliases:
            if len(alias) > ALWAYS_FITS:
                force_setattr(self, "aliases", tuple(map(bounded, self.aliases)))
                break


class Mention(Struct, frozen=True):
    """A mention of an entity by an observation. Roles: `subject`, `reference`, `file`, `text`, `label`, ...

    `extractor` names the rule that found it (`payload`, `link`, `text`, ...), `evidence` quotes the words.
    """

    thing: Thing
    role: str
    evidence: str | None = None
    confidence: float = 1.0
    extractor: str = "payload"


class Edge(Struct, frozen=True):
    """A directed, typed relation `subject -> object` (`fixes`, `contains`, `deploys`, ...)."""

    subject: Thing
    type: str
    object: Thing
    confidence: float = 1.0
    method: str = "payload"
    evidence: str | None = None


class StateChange(Struct, frozen=True):
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


# The reason of a change that only ends a value: it has no effect while another value holds. When a
# deployment replaces another in an environment, the old one is reported as inactive afterwards.
ENDING_REASON = "no longer"


def deletion(thing: Thing, at: datetime, *, is_undone: bool = False) -> StateChange:
    """From `at` on the entity is deleted, or with `is_undone` restored: see `domain/existence.py`.

    It ranks after every other change of the same moment, because those happened before it."""
    value, reason = ("exists", "restored") if is_undone else ("deleted", "deleted")
    return StateChange(thing, "existence", value, at, _LAST_RANK, reason)


class Reference(Struct, frozen=True):
    """A reference in the payload itself, kept in the column `references`."""

    type: str
    id: str
    url: str | None = None
    label: str | None = None


class TextScope(Struct, frozen=True):
    """The repository in which a text was written, so that a bare `#12` can be resolved.

    `has_numbers` is false if bare numbers belong to another repository, as in a commit that a fork took
    over from elsewhere.
    """

    repository_id: str
    repository_name: str
    host: str = "github.com"
    is_fork: bool = False
    has_numbers: bool = True


class Occurrence(Struct, frozen=True):
    """One of many similar events, which are counted instead of observed one by one (a single error).

    `series` is the key of what recurs; `event_id` distinguishes occurrences. A `restart` is not an
    occurrence: after it (a regression) the next occurrence gets an observation of its own. It may be
    stated some time after the occurrence that caused it; then `since` is the moment from which it counts.
    """

    series: str
    event_id: str
    restart: bool = False
    since: datetime | None = None

    def __post_init__(self) -> None:
        _bound(self, "series", "event_id")


class Statement(Struct, frozen=True):
    """What one payload states about one observation, before the rules are applied.

    `source_id` is the identity of the observation (see `keys.source_id`), equal for every payload
    that states the same fact. `link_text` is the part of the text in which closing words count
    (a pull request's title and body, a commit's message); None if they mean nothing.
    `updated_at` is the provider's latest update time in the payload, which orders statements.
    `base_significance` is the weight of the event type (0 to 100).
    An integration's settings can filter by `branch` and `paths`; None means that there are none.
    `part` is the key of the part of the subject that it is about and that can be deleted alone (a
    comment). `written_at` is set where the text is older than the event (a pull request's, at its merge).
    `parents` are the ids of a commit's parents, None where they are not stated. `pushed_after` are the commits
    before it in a push that ended with it: first the one that the branch held before, then those of the push.
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
    parents: tuple[str, ...] | None = None
    pushed_after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _bound(self, "source_id", "source_type", "part")

    @property
    def read_at(self) -> datetime:
        """When the text was written, as far as we know: its names mean what they meant then."""
        return self.written_at or self.occurred_at


class LifecycleEvent(Struct, frozen=True):
    """A change of a connection or of a resource itself; it never becomes an observation.

    `subject_kind` is `installation` or `resource`, `subject_id` its id at the provider.
    `change` is one of `active`, `suspended`, `removed`, `renamed`, `transferred`, `archived`, `unarchived`;
    `value` holds the new values ({"name": ..., "account_login": ...}); `reason` is for an operator.
    `occurred_at` is None if the payload has no time: then the time of receipt is used.
    """

    subject_kind: Literal["installation", "resource"]
    subject_id: str
    change: str
    occurred_at: datetime | None
    reason: str
    value: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _bound(self, "subject_id", "change")


class NameClaim(Struct, frozen=True):
    """States that a place (a repository) had a name at some time.

    `alias` is the key by that name (`github:ref:acme/shop`), `place` the key by its id, `shown` the
    name for people. `at` is None if the payload has no time: then the time of receipt is used.
    With `is_weak` it counts only for the time before any other claim of the name.
    """

    alias: str
    place: str
    shown: str
    at: datetime | None
    is_weak: bool = False

    def __post_init__(self) -> None:
        _bound(self, "alias", "place")


class Route(Struct, frozen=True):
    """Where a payload belongs, by its own ids.

    `resource_key` is `{provider}:{kind}:{id}` (`github:repository:1296269`), the resource that it is
    routed by; `resource_name` is its display name, `resource_meta` further facts about it.
    `alternatives` are wider resources that it belongs to, as (resource_key, resource_id): a link to any
    of them is enough. `via` is the key of an entity by which the payload is routed where it names no
    linked resource (a comment by its issue): it goes where that entity's observations went, and is
    parked until there are some. With `by_hand` the resource is wide (a team), so only a person can link
    it, never an ingested line. `names` are the names of places that the payload states. `moves_files`:
    the files of the resource may be others now, as its default branch was pushed to or changed; `pushed`
    is the commit that was pushed.
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
    moves_files: bool = False
    pushed: str | None = None

    def __post_init__(self) -> None:
        _bound(self, "resource_key", "resource_id", "via")
        if self.alternatives:
            bound = tuple(
                (bounded(key), bounded(resource_id)) for key, resource_id in self.alternatives
            )
            force_setattr(self, "alternatives", bound)


class Understood(Struct, frozen=True):
    """The payload became statements; if there are none, `reason` says why, and it is filtered."""

    statements: tuple[Statement, ...]
    reason: str | None = None


class Filtered(Struct, frozen=True):
    """The payload is known and not worth remembering; `reason` says why (`action pinned is not kept`)."""

    reason: str


class Parked(Struct, frozen=True):
    """An unknown event or shape, kept until a higher rule version knows it."""

    reason: str


class Lifecycle(Struct, frozen=True):
    """Changes of connections or resources; the outcome is `filtered` with a reason that says so."""

    events: tuple[LifecycleEvent, ...]
    reason: str


Reading = Understood | Filtered | Parked | Lifecycle
