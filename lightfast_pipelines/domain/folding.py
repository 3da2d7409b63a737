"""Folds all statements of one observation into one.

The result is a function of the set of statements: neither their order nor their number matters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from msgspec.structs import replace

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
    """The order of preference: by source, then the latest update time (none last), then the body's hash."""
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
    """The first value that is not null, else the first."""
    items = list(values)
    for value in items:
        if not _is_null(value):
            return value
    return items[0]


def _united(
    parts: Iterable[Sequence[_Item]], identity: Callable[[_Item], Hashable]
) -> tuple[_Item, ...]:
    """Every item of every part once; the first part that has it wins."""
    best: dict[Hashable, _Item] = {}
    for part in parts:
        for item in part:
            best.setdefault(identity(item), item)
    return tuple(best.values())


def _thing(things: Sequence[Thing]) -> Thing:
    """One entity from several of one key: the first name and address, and every alias."""
    return replace(
        things[0],
        name=_first(thing.name for thing in things),
        url=_first(thing.url for thing in things),
        aliases=tuple(dict.fromkeys(alias for thing in things for alias in thing.aliases)),
    )


def _account(accounts: Iterable[Account | None]) -> Account | None:
    """The first account; its empty fields are filled from other statements of the same account."""
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
        mentions[0]
        if len(mentions) == 1
        else replace(mentions[0], thing=_thing([mention.thing for mention in mentions]))
        for mentions in grouped.values()
    )


def _states(statements: Sequence[Statement]) -> tuple[StateChange, ...]:
    """Each change once; of what serves an environment, the most certain statement wins."""
    surest: dict[tuple[str, str], StateChange] = {}
    for statement in statements:
        for change in statement.states:
            key = (change.thing.key, change.state_type)
            best = surest.get(key)
            if best is None or serving.certainty(change.metadata) < serving.certainty(
                best.metadata
            ):
                surest[key] = change
    return tuple(surest.values())


def _metadata(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each key the first value that is not null."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if key not in merged or (_is_null(merged[key]) and not _is_null(value)):
                merged[key] = value
    return merged


def _from_home(statements: list[Statement]) -> list[Statement]:
    """The statements of a commit, first those of the repository that it came from, its home.

    A number in its text belongs to its home, whichever repository stated the commit first; what others
    derive from numbers is dropped. Home is a repository that is no fork, then where it was pushed first.
    """
    if len({_repository(s) for s in statements} - {None}) < 2:
        return statements

    def age(statement: Statement) -> tuple[bool, bool, float, str]:
        assert statement.scope is not None
        at = statement.updated_at or statement.occurred_at
        return (
            statement.scope.is_fork,
            not statement.scope.has_numbers,
            at.timestamp(),
            statement.scope.repository_id,
        )

    home = _repository(min((s for s in statements if s.scope is not None), key=age))
    at_home = [s for s in statements if _repository(s) == home]
    elsewhere = [_without_numbers(s) for s in statements if _repository(s) != home]
    return [*at_home, *elsewhere]


def _repository(statement: Statement) -> str | None:
    return statement.scope.repository_id if statement.scope is not None else None


def _without_numbers(statement: Statement) -> Statement:
    """The statement without the mentions and edges that it derives from numbers in its repository."""
    if statement.scope is None:
        return statement
    own_prefix = f"{github_place(statement.scope.repository_id)}#"

    def is_own(thing: Thing) -> bool:
        return is_stub(thing.key) and any(
            name.startswith(own_prefix) for name in (thing.key, *thing.aliases)
        )

    return replace(
        statement,
        edges=tuple(e for e in statement.edges if not is_own(e.subject) and not is_own(e.object)),
        mentions=tuple(m for m in statement.mentions if not is_own(m.thing)),
    )


def fold(statements: Sequence[tuple[StatementSource, Statement]]) -> Statement:
    """Folds statements of one `source_id` into one.

    Each field has the first value that is not null (None, empty text, empty collection), in the order
    of `preference`; tuples are united by their natural keys, metadata is merged per key. Raises
    ValueError for no statement or for several source ids.
    """
    if not statements:
        raise ValueError("fold needs at least one statement")
    if len(statements) == 1:
        return statements[0][1]
    if len({statement.source_id for _, statement in statements}) > 1:
        raise ValueError("fold needs statements of one source_id")
    ranked = sorted(statements, key=preference)
    if any(
        preference(first) == preference(second) and first[1] != second[1]
        for first, second in pairwise(ranked)
    ):
        # One body states it twice, differently: any order will do as long as it never varies.
        ranked.sort(key=lambda stated: (preference(stated), repr(stated[1])))
    ordered: list[Statement] = []
    for _, statement in ranked:
        if statement not in ordered:
            ordered.append(statement)
    ordered = _from_home(ordered)
    first = ordered[0]
    if len(ordered) == 1:
        return first
    # The text that is searched for closing words must belong to the content that is shown.
    shown = next((s for s in ordered if not _is_null(s.content)), first)
    return Statement(
        source_id=first.source_id,
        source=first.source,
        source_type=_first(s.source_type for s in ordered),
        subject=_thing([s.subject for s in ordered if s.subject.key == first.subject.key]),
        occurred_at=first.occurred_at,
        title=_first(s.title for s in ordered),
        content=shown.content,
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
        link_text=_first(s.link_text for s in (shown, *ordered)),
        branch=_first(s.branch for s in ordered),
        paths=_first(s.paths for s in ordered),
        occurrence=_first(s.occurrence for s in ordered),
        part=_first(s.part for s in ordered),
        written_at=_first(s.written_at for s in ordered),
        # No parents are not the same as unknown ones.
        parents=next((s.parents for s in ordered if s.parents is not None), None),
        pushed_after=_first(s.pushed_after for s in ordered),
    )
