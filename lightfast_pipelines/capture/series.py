"""Settles the series that a batch touches: which events stand alone, and what each hour counts.

Only the events of a series that may change are read: the events of the batch, the events at the ends of the
stretches in which they lie, and the first event of each hour, whose text stands for the hour. So a new
event costs the same however many came before. The result is still a function of the set of payloads: the
table of occurrences holds every event, and determines which of them stand alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import structs

from lightfast_pipelines.capture.collecting import Statements
from lightfast_pipelines.capture.statements import FactKey, Stated
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

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SeriesObservation:
    """An observation of a series to be written, with the statements that its text comes from.

    `known_at` is when the first payload behind it was received; None: the first of these statements' payloads.
    """

    statement: Statement
    stated: Sequence[Stated]
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeriesChanges:
    """What changes of the series' observations. `gone` are those without an event now; the sources are
    (observation, payload) pairs."""

    written: Mapping[FactKey, SeriesObservation]
    gone: Set[FactKey]
    sources_added: Set[tuple[FactKey, int]]
    sources_removed: Set[tuple[FactKey, int]]

    @property
    def facts(self) -> set[FactKey]:
        """Every observation that changes."""
        changed = {fact for fact, _ in self.sources_added | self.sources_removed}
        return {*self.written, *self.gone} | changed


def settle_series(conn: Connection, statements: Statements) -> SeriesChanges:
    """Writes the events and restarts that the batch states, replacing those that its payloads stated
    before, and works out what follows."""
    restarts = statements.restarts
    old_events, old_restarts = stated_before(conn, statements.readable_ids)
    touched = old_events | set(statements.events)
    if not touched and not restarts and not old_restarts:
        return SeriesChanges({}, set(), set(), set())
    series = {(key[0], key[1]) for key in [*touched, *restarts, *old_restarts]}
    texts = _EventStatements(statements)
    first_before = first_events(conn, series)
    before = load_events(conn, touched)
    texts.read(before)
    after = {key: event for key in touched if (event := texts.event(key, before.get(key)))}
    replace_events(conn, before, after)
    replace_restarts(conn, statements.readable_ids, restarts)
    first = first_events(conn, series)
    restarted = {
        (workspace, name, at)
        for (workspace, name, _), at in restarts.items() ^ old_restarts.items()
    }
    changed_stretches = stretches(conn, _moments(before, after, restarted))
    heads = {stretch.head for stretch in changed_stretches}
    # Events that may have become, or ceased to be, the first of all or the first after a restart.
    rewritten = {
        key
        for name in series
        if first.get(name) != first_before.get(name)
        for key in (first.get(name), first_before.get(name))
        if key is not None
    }
    if restarted:
        rewritten |= heads
    # Heads of stretches that were counted so far, and other events that stood alone so far.
    flips = heads ^ {key for stretch in changed_stretches for key in stretch.alone}
    others = load_events(conn, (rewritten | flips) - touched)
    events = {**others, **after}
    texts.read(others)
    flipped = {
        key: replace(events[key], is_alone=key in heads) for key in flips if texts.is_complete(key)
    }
    replace_events(conn, {key: events[key] for key in flipped}, flipped)
    changed = touched | set(flipped)
    old, new = {**others, **before}, {**events, **flipped}
    hours = count_hours(conn, _count_changes(changed, old, new))
    firsts = load_events(conn, {hour.first for hour in hours.values()} - set(new))
    texts.read({hour.first: (firsts | new)[hour.first] for hour in hours.values()})
    written = {
        key: _hour_observation(key[1], hour, texts)
        for key, hour in hours.items()
        if texts.is_complete(hour.first)
    }
    restart = first_restarts(conn, series)
    for key in changed | rewritten:
        event = new.get(key)
        if event is not None and event.is_alone and texts.is_complete(key):
            name = (key[0], key[1])
            statement = occurrences.alone(
                texts.fold(key),
                is_first=first[name] == key,
                is_regression=name in restart and restart[name] <= event.at,
            )
            written[key[0], event.alone_id] = SeriesObservation(
                structs.replace(statement, source_id=event.alone_id), texts.of(key)
            )
    old_sources, new_sources = _sources(changed, old), _sources(changed, new)
    remaining = {fact for fact, _ in new_sources} | set(hours)
    return SeriesChanges(
        written,
        {fact for fact, _ in old_sources} - remaining,
        new_sources,
        old_sources - new_sources,
    )


class _EventStatements:
    """The statements about single events: those of the batch and, once read, those of other payloads."""

    def __init__(self, statements: Statements) -> None:
        self._others = statements.others
        self._read = set(statements.readable_ids)
        self._bodiless: set[int] = set()
        self._incomplete: set[EventKey] = set()
        self._stated: dict[EventKey, list[Stated]] = defaultdict(list)
        for key, stated in statements.events.items():
            self._stated[key] += stated

    def read(self, events: Mapping[EventKey, Event]) -> None:
        """Reads what payloads outside the batch state about these events."""
        raw_ids = {raw_id for event in events.values() for raw_id in event.raw_ids} - self._read
        if raw_ids:
            other_statements, bodiless = self._others.statements(
                raw_ids, lambda stated: stated.event in events
            )
            self._read |= raw_ids
            self._bodiless |= bodiless
            for stated in other_statements:
                assert stated.event is not None
                self._stated[stated.event].append(stated)
        self._incomplete |= {k for k, event in events.items() if event.raw_ids & self._bodiless}

    def is_complete(self, key: EventKey) -> bool:
        """Whether every payload that states the event could be read; else the event stays as it is."""
        return bool(self._stated.get(key)) and key not in self._incomplete

    def of(self, key: EventKey) -> Sequence[Stated]:
        return self._stated[key]

    def fold(self, key: EventKey) -> Statement:
        return occurrences.fold_occurrence(
            [(stated.source, stated.statement) for stated in self._stated[key]]
        )

    def event(self, key: EventKey, before: Event | None) -> Event | None:
        """The event as it is stated now; None if nothing states it any more."""
        raw_ids = frozenset(stated.raw.id for stated in self._stated.get(key, ()))
        if before is not None and key in self._incomplete:
            return replace(before, raw_ids=raw_ids | (before.raw_ids & self._bodiless))
        if not raw_ids:
            return None
        statement = self.fold(key)
        return Event(
            statement.occurred_at,
            statement.source_id,
            occurrences.alone_id(statement),
            before is not None and before.is_alone,
            raw_ids,
        )


def _moments(
    before: Mapping[EventKey, Event], after: Mapping[EventKey, Event], restarted: Set[Moment]
) -> set[Moment]:
    """The moments of all changes. A restart divides a stretch, or no longer does, so it adds a moment on
    each side."""
    events = [*before.items(), *after.items()]
    return {(key[0], key[1], event.at) for key, event in events} | {
        (workspace, series, moment)
        for workspace, series, at in restarted
        for moment in (at, at - _INSTANT)
    }


def _count_changes(
    keys: Set[EventKey], old: Mapping[EventKey, Event], new: Mapping[EventKey, Event]
) -> dict[HourKey, int]:
    """By how much the count of each hour grows; 0 if only its text may have changed."""
    changes: Counter[HourKey] = Counter()
    for events, change in ((old, -1), (new, 1)):
        for key in keys:
            event = events.get(key)
            if event is not None and not event.is_alone:
                changes[key[0], event.hour_id] += change
    return dict(changes)


def _hour_observation(hour_id: str, hour: Hour, texts: _EventStatements) -> SeriesObservation:
    statement = occurrences.counted(texts.fold(hour.first), hour.count, hour.last_at)
    return SeriesObservation(
        structs.replace(statement, source_id=hour_id), texts.of(hour.first), hour.known_at
    )


def _sources(keys: Set[EventKey], events: Mapping[EventKey, Event]) -> set[tuple[FactKey, int]]:
    """(observation, payload) of every payload behind these events."""
    return {
        ((key[0], events[key].source_id), raw_id)
        for key in keys
        if key in events
        for raw_id in events[key].raw_ids
    }
