"""One observation from all payloads that state it.

A function of the set of statements: neither their order nor their number matters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from lightfast_pipelines.domain import serving
from lightfast_pipelines.domain.events import (
    SOURCE_PRECEDENCE,
    Account,
    IngestionSource,
    Mention,
    StateChange,
    Statement,
    Thing,
)
from lightfast_pipelines.domain.key_categories import is_stub
from lightfast_pipelines.domain.keys import github_place

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class StatementSource:
    """Where a statement comes from. `received_at` does not order: arrival must not matter."""

    ingestion_source: IngestionSource
    received_at: datetime
    body_sha256: bytes


def preference(stated: tuple[StatementSource, Statement]) -> tuple[int, bool, float, bytes]:
    """By source, then the provider's latest update time (none last), then smallest body hash."""
    source, statement = stated
    updated = statement.updated_at
    return (
        SOURCE_PRECEDENCE[source.ingestion_source],
        updated is None,
        -updated.timestamp() if updated is not None else 0.0,
        source.body_sha256,
    )


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, (str, tuple, list, dict)) and not value)


def _first(values: Iterable[_Item]) -> _Item:
    """The first that says something, else the first."""
    kept = list(values)
    for value in kept:
        if not _is_null(value):
            return value
    return kept[0]


def _united(
    parts: Iterable[Sequence[_Item]], identity: Callable[[_Item], Hashable]
) -> tuple[_Item, ...]:
    """Every item of every part once, the earliest part winning."""
    best: dict[Hashable, _Item] = {}
    for part in parts:
        for item in part:
            best.setdefault(identity(item), item)
    return tuple(best.values())


def _thing(things: Sequence[Thing]) -> Thing:
    """One thing of one key: the first name and address there are, every alias."""
    return replace(
        things[0],
        name=_first(thing.name for thing in things),
        url=_first(thing.url for thing in things),
        aliases=tuple(dict.fromkeys(alias for thing in things for alias in thing.aliases)),
    )


def _account(accounts: Iterable[Account | None]) -> Account | None:
    """The first account, its gaps filled by what others say of the same account."""
    stated = [account for account in accounts if account is not None]
    if not stated:
        return None
    same = [a for a in stated if (a.source, a.source_id) == (stated[0].source, stated[0].source_id)]
    if len(same) == 1:
        return same[0]
    addressed = _first([a if a.email else None for a in same])
    return replace(
        same[0],
        username=_first(a.username for a in same),
        email=addressed.email if addressed else None,
        email_verified=addressed.email_verified if addressed else False,
        name=_first(a.name for a in same),
        avatar_url=_first(a.avatar_url for a in same),
        kind=next((a.kind for a in same if a.kind != "unknown"), "unknown"),
    )


def _mentions(statements: Sequence[Statement]) -> tuple[Mention, ...]:
    grouped: dict[tuple[str, str], list[Mention]] = {}
    for statement in statements:
        for mention in statement.mentions:
            grouped.setdefault((mention.thing.key, mention.role), []).append(mention)
    return tuple(
        found[0]
        if len(found) == 1
        else replace(found[0], thing=_thing([mention.thing for mention in found]))
        for found in grouped.values()
    )


def _states(statements: Sequence[Statement]) -> tuple[StateChange, ...]:
    """Each change once; of what serves an environment, the statement that is surest of it wins."""
    surest: dict[tuple[str, str], StateChange] = {}
    for statement in statements:
        for change in statement.states:
            key = (change.thing.key, change.state_type)
            known = surest.get(key)
            if known is None or serving.certainty(change.metadata) < serving.certainty(
                known.metadata
            ):
                surest[key] = change
    return tuple(surest.values())


def _metadata(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Per key the first value that says something."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if key not in merged or (_is_null(merged[key]) and not _is_null(value)):
                merged[key] = value
    return merged


def _from_home(statements: list[Statement]) -> list[Statement]:
    """A commit that is in several repositories is told by the one that it came from.

    Its text is read there: a number in it is that repository's, whichever told of it first. Home is
    what is no fork, then where it was pushed first.
    """
    places = {one.scope.repository_id for one in statements if one.scope is not None}
    if len(places) < 2:
        return statements

    def age(one: Statement) -> tuple[bool, bool, float, str]:
        assert one.scope is not None
        at = one.updated_at or one.occurred_at
        return (
            one.scope.is_fork,
            not one.scope.has_numbers,
            at.timestamp(),
            one.scope.repository_id,
        )

    home = min((one for one in statements if one.scope is not None), key=age).scope
    assert home is not None
    theirs = [one for one in statements if _place(one) == home.repository_id]
    others = [_without_numbers(one) for one in statements if _place(one) != home.repository_id]
    return [*theirs, *others]


def _place(statement: Statement) -> str | None:
    return statement.scope.repository_id if statement.scope is not None else None


def _without_numbers(statement: Statement) -> Statement:
    """Without what it makes of numbers in its own repository."""
    if statement.scope is None:
        return statement
    own = f"{github_place(statement.scope.repository_id)}#"

    def is_own(thing: Thing) -> bool:
        return is_stub(thing.key) and any(
            name.startswith(own) for name in (thing.key, *thing.aliases)
        )

    return replace(
        statement,
        edges=tuple(e for e in statement.edges if not is_own(e.subject) and not is_own(e.object)),
        mentions=tuple(m for m in statement.mentions if not is_own(m.thing)),
    )


def fold(statements: Sequence[tuple[StatementSource, Statement]]) -> Statement:
    """The observation that a set of statements of one `source_id` makes.

    Per field the first that is not null (None, empty text, empty collection), in the order of
    `preference`; tuples are united by their natural keys, the preferred statement winning; metadata
    is merged per key. Raises ValueError for no statement or for several source ids.
    """
    if not statements:
        raise ValueError("fold needs at least one statement")
    if len(statements) == 1:
        return statements[0][1]
    if len({statement.source_id for _, statement in statements}) > 1:
        raise ValueError("fold needs statements of one source_id")
    ranked = sorted(statements, key=preference)
    if any(
        preference(one) == preference(other) and one[1] != other[1]
        for one, other in pairwise(ranked)
    ):
        # One body that states it twice differently: any order will do, if it is always the same.
        ranked.sort(key=lambda stated: (preference(stated), repr(stated[1])))
    ordered: list[Statement] = []
    for _, statement in ranked:
        if statement not in ordered:
            ordered.append(statement)
    ordered = _from_home(ordered)
    first = ordered[0]
    if len(ordered) == 1:
        return first
    # The text in which closing words count goes with the content that is shown.
    telling = next((s for s in ordered if not _is_null(s.content)), first)
    return Statement(
        source_id=first.source_id,
        source=first.source,
        source_type=_first(s.source_type for s in ordered),
        subject=_thing([s.subject for s in ordered if s.subject.key == first.subject.key]),
        occurred_at=first.occurred_at,
        title=_first(s.title for s in ordered),
        content=telling.content,
        base_significance=first.base_significance,
        actor=_account(s.actor for s in ordered),
        author=_account(s.author for s in ordered),
        accounts=_united(
            (s.accounts for s in ordered), lambda a: (a.role, a.account.source, a.account.source_id)
        ),
        references=_united((s.references for s in ordered), lambda r: (r.type, r.id, r.label)),
        mentions=_mentions(ordered),
        edges=_united((s.edges for s in ordered), lambda e: (e.subject.key, e.type, e.object.key)),
        states=_states(ordered),
        metadata=_metadata([s.metadata for s in ordered]),
        updated_at=_first(s.updated_at for s in ordered),
        scope=_first(s.scope for s in ordered),
        link_text=_first(s.link_text for s in (telling, *ordered)),
        branch=_first(s.branch for s in ordered),
        paths=_first(s.paths for s in ordered),
        occurrence=_first(s.occurrence for s in ordered),
        part=_first(s.part for s in ordered),
        written_at=_first(s.written_at for s in ordered),
    )
