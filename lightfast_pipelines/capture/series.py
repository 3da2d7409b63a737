"""What a batch changes of the series that it touches: events that stand alone, and hours that count.

Of a series only that is read which may change: the events of the batch, the events at the ends of the
stretches that they lie in, and the first event of each hour, in whose words the hour is told. So a new
event costs the same however many came before. The outcome is a function of the set of payloads all the
same: which events there are stands in the table of occurrences, and who stands alone follows from it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lightfast_pipelines.capture.statements import FactKey, Stated, source_of
from lightfast_pipelines.capture.writers.occurrences import (
    Event,
    EventKey,
    Hour,
    HourKey,
    Moment,
    count_hours,
    first_events,
    first_restarts,
    load_events,
    replace_events,
    replace_restarts,
    stated_before,
    stretches,
)
from lightfast_pipelines.domain import occurrences
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.store.database import Connection

# What payloads outside the batch state of these events, and which of the payloads have no body any more.
ReadOthers = Callable[
    [Collection[int], Set[EventKey]], tuple[Mapping[EventKey, Sequence[Stated]], Set[int]]
]
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Told:
    """An observation to be written, with the payloads in whose words it is told. `known_at`: when the
    first payload behind it was received, where that is none of these."""

    statement: Statement
    stated: Sequence[Stated]
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeriesChanges:
    """`told` by observation; `gone` are those that tell of nothing any more. `came` and `went` are
    (observation, payload): what is behind an observation now, and what is no longer."""

    told: Mapping[FactKey, Told]
    gone: Set[FactKey]
    came: Set[tuple[FactKey, int]]
    went: Set[tuple[FactKey, int]]


def settle_series(
    conn: Connection,
    raw_ids: Sequence[int],
    stated: Mapping[EventKey, Sequence[Stated]],
    restarts: Mapping[tuple[int, str, int], datetime],
    read_others: ReadOthers,
) -> SeriesChanges:
    """Notes what these payloads state now, in place of what they stated before, and what follows.

    `restarts`: (workspace, series, payload) -> since when it counts.
    """
    old_events, old_restarts = stated_before(conn, raw_ids)
    touched = old_events | set(stated)
    if not touched and not restarts and not old_restarts:
        return SeriesChanges({}, set(), set(), set())
    series = {(key[0], key[1]) for key in [*touched, *restarts, *old_restarts]}
    words = _Words(raw_ids, stated, read_others)
    first_before = first_events(conn, series)
    before = load_events(conn, touched)
    words.read(before)
    after = {key: event for key in touched if (event := words.event(key, before.get(key)))}
    replace_events(conn, before, after)
    replace_restarts(conn, raw_ids, restarts)
    first = first_events(conn, series)
    restarted = {
        (workspace, name, at)
        for (workspace, name, _), at in restarts.items() ^ old_restarts.items()
    }
    found = stretches(conn, _moments(before, after, restarted))
    # Whether they are the first of all, or come after a restart, may have changed.
    retold = {
        key
        for name in series
        if first.get(name) != first_before.get(name)
        for key in (first.get(name), first_before.get(name))
        if key is not None
    }
    if restarted:
        retold |= {one.head for one in found}
    heads = {one.head for one in found}
    # Either the head of its stretch that is counted so far, or another that stands alone so far.
    flips = heads ^ {key for one in found for key in one.alone}
    others = load_events(conn, (retold | flips) - touched)
    events = {**others, **after}
    words.read(others)
    flipped = {
        key: replace(events[key], is_alone=key in heads) for key in flips if words.known(key)
    }
    replace_events(conn, {key: events[key] for key in flipped}, flipped)
    changed = touched | set(flipped)
    then, now = {**others, **before}, {**events, **flipped}
    hours = count_hours(conn, _changes(changed, then, now))
    firsts = load_events(conn, {hour.first for hour in hours.values()} - set(now))
    words.read({hour.first: (firsts | now)[hour.first] for hour in hours.values()})
    told = {
        key: _hour(key[1], hour, words) for key, hour in hours.items() if words.known(hour.first)
    }
    restart = first_restarts(conn, series)
    for key in changed | retold:
        event = now.get(key)
        if event is not None and event.is_alone and words.known(key):
            name = (key[0], key[1])
            told[key[0], event.alone_id] = Told(
                replace(
                    occurrences.alone(
                        words.of(key),
                        is_first=first[name] == key,
                        is_regression=name in restart and restart[name] <= event.at,
                    ),
                    source_id=event.alone_id,
                ),
                words.stated(key),
            )
    places_then, places_now = _places(changed, then), _places(changed, now)
    standing = {fact for fact, _ in places_now} | set(hours)
    return SeriesChanges(
        told,
        {fact for fact, _ in places_then} - standing,
        places_now,
        places_then - places_now,
    )


class _Words:
    """What the payloads state of single events, in the batch and, once they are read, outside of it."""

    def __init__(
        self,
        raw_ids: Collection[int],
        stated: Mapping[EventKey, Sequence[Stated]],
        read_others: ReadOthers,
    ) -> None:
        self._read_others = read_others
        self._read = set(raw_ids)
        self._bodiless: set[int] = set()
        self._fixed: set[EventKey] = set()
        self._stated: dict[EventKey, list[Stated]] = defaultdict(list)
        for key, ones in stated.items():
            self._stated[key] += ones

    def read(self, events: Mapping[EventKey, Event]) -> None:
        """Reads what payloads outside the batch state of these events."""
        raws = {raw for event in events.values() for raw in event.raw_ids} - self._read
        if raws:
            found, bodiless = self._read_others(raws, events.keys())
            self._read |= raws
            self._bodiless |= bodiless
            for key, ones in found.items():
                self._stated[key] += ones
        self._fixed |= {key for key, event in events.items() if event.raw_ids & self._bodiless}

    def known(self, key: EventKey) -> bool:
        """Whether all that states it can be read; else it stays as it is."""
        return bool(self._stated.get(key)) and key not in self._fixed

    def stated(self, key: EventKey) -> Sequence[Stated]:
        return self._stated[key]

    def of(self, key: EventKey) -> Statement:
        return occurrences.fold_occurrence(
            [(source_of(one), one.statement) for one in self._stated[key]]
        )

    def event(self, key: EventKey, before: Event | None) -> Event | None:
        """The event as it is stated now; None where nothing states it any more."""
        raws = frozenset(one.raw.id for one in self._stated.get(key, ()))
        if before is not None and key in self._fixed:
            return replace(before, raw_ids=raws | (before.raw_ids & self._bodiless))
        if not raws:
            return None
        statement = self.of(key)
        return Event(
            statement.occurred_at,
            statement.source_id,
            occurrences.alone_id(statement),
            before is not None and before.is_alone,
            raws,
        )


def _moments(
    before: Mapping[EventKey, Event], after: Mapping[EventKey, Event], restarted: Set[Moment]
) -> set[Moment]:
    """Where something changed: a restart parts, or no longer parts, what comes before it and after."""
    events = [*before.items(), *after.items()]
    return {(key[0], key[1], event.at) for key, event in events} | {
        (workspace, series, moment)
        for workspace, series, at in restarted
        for moment in (at, at - _INSTANT)
    }


def _changes(
    keys: Set[EventKey], then: Mapping[EventKey, Event], now: Mapping[EventKey, Event]
) -> dict[HourKey, int]:
    """By how much what an hour counts grows; 0 where only the words may have changed."""
    changes: Counter[HourKey] = Counter()
    for events, added in ((then, -1), (now, 1)):
        for key in keys:
            event = events.get(key)
            if event is not None and not event.is_alone:
                changes[key[0], event.hour_id] += added
    return dict(changes)


def _hour(hour_id: str, hour: Hour, words: _Words) -> Told:
    statement = occurrences.counted(words.of(hour.first), hour.count, hour.last_at)
    return Told(replace(statement, source_id=hour_id), words.stated(hour.first), hour.known_at)


def _places(keys: Set[EventKey], events: Mapping[EventKey, Event]) -> set[tuple[FactKey, int]]:
    """(observation, payload) of each payload behind these events."""
    return {
        ((key[0], events[key].told_by), raw)
        for key in keys
        if key in events
        for raw in events[key].raw_ids
    }
