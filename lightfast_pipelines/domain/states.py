"""Folds facts into intervals of a state, on two clocks: when it held, and when that was known.

All facts here belong to one state type of one entity.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from lightfast_pipelines.domain.events import ENDING_REASON

# Reasons of the change with which an entity begins: nothing can have happened to it earlier.
OPENING_REASONS = frozenset({"opened", "created"})
NOTHING = "none"
# Pairs of changes that alternate: each can only follow the other. Times are whole seconds, and robots
# close and reopen within one second to run checks again.
_TAKING_TURNS = (
    frozenset({"closed", "reopened"}),
    frozenset({"converted-to-draft", "ready-for-review"}),
)


@dataclass(frozen=True, slots=True)
class StateFact:
    """The state had `value` from `at` on, which is known since `recorded_at`.

    `rank` and then `source_id` (the observation's) order facts of one moment. `observation_id` and
    `identity_id` (the actor's) are passed through. From `withdrawn_at` on the fact is not believed.
    """

    value: str
    at: datetime
    rank: int
    source_id: str
    recorded_at: datetime
    reason: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)
    observation_id: int | None = field(default=None, compare=False)
    identity_id: int | None = field(default=None, compare=False)
    withdrawn_at: datetime | None = None

    @property
    def is_ending(self) -> bool:
        return self.reason == ENDING_REASON


@dataclass(frozen=True, slots=True)
class StateInterval:
    """A value that held in [valid_from, valid_to), believed in [recorded_at, superseded_at).

    An end of None means that it still holds or is still believed. `fact` began the interval; its `at`
    is before `valid_from` where it was clamped to the opening. `is_current`: as far as we know now, it
    holds now.
    """

    value: str
    valid_from: datetime
    valid_to: datetime | None
    is_current: bool
    recorded_at: datetime
    superseded_at: datetime | None
    fact: StateFact


# Start (clamped), rank, source_id; the rest makes the order total.
_Key = tuple[datetime, int, str, str, datetime, datetime]


class _Timeline:
    """What is believed at one moment: facts in order, and which of them begin an interval.

    A fact begins an interval where its value differs from its predecessor's; the interval ends where
    the next one begins. So an inserted fact affects at most itself, its successor and the interval
    before; endings depend on what they follow, so if endings follow, the fact after them is affected as
    well.
    """

    def __init__(self) -> None:
        self.opening: datetime | None = None
        self.facts: dict[_Key, StateFact] = {}
        self.order: list[_Key] = []
        self.starts: list[_Key] = []
        self.values: dict[_Key, str | None] = {}

    def _key(self, fact: StateFact) -> _Key:
        at = fact.at if self.opening is None else max(fact.at, self.opening)
        return (at, fact.rank, fact.source_id, fact.value, fact.at, fact.recorded_at)

    def add(self, facts: Iterable[StateFact]) -> set[_Key]:
        """Adds facts; returns every start whose interval may have changed."""
        new = list(facts)
        touched: set[_Key] = set()
        openings = [fact.at for fact in new if fact.reason in OPENING_REASONS]
        if openings and (self.opening is None or min(openings) < self.opening):
            # All facts may move, which happens about once per entity: so all are inserted anew.
            self.opening = min(openings)
            new = [*self.facts.values(), *new]
            touched.update(self.starts)
            self.facts, self.order, self.starts, self.values = {}, [], [], {}
        for fact in sorted(new, key=self._key):
            self._insert(fact, touched)
        return touched

    def remove(self, facts: Iterable[StateFact]) -> set[_Key]:
        """Removes facts; returns every start whose interval may have changed."""
        touched: set[_Key] = set()
        for fact in facts:
            key = self._key(fact)
            if key not in self.facts:
                continue
            place = bisect_left(self.order, key)
            del self.order[place], self.facts[key], self.values[key]
            at = bisect_left(self.starts, key)
            if at < len(self.starts) and self.starts[at] == key:
                touched.add(key)
                if at:
                    touched.add(self.starts[at - 1])
                del self.starts[at]
            self._settle_from(place, touched)
        return touched

    def _insert(self, fact: StateFact, touched: set[_Key]) -> None:
        key = self._key(fact)
        if key in self.facts:
            return
        place = bisect_left(self.order, key)
        self.order.insert(place, key)
        self.facts[key] = fact
        self._settle(place, touched)
        self._settle_from(place + 1, touched)

    def _settle_from(self, place: int, touched: set[_Key]) -> None:
        """Settles the fact at this place, and those that follow as long as they are endings."""
        for following in range(place, len(self.order)):
            self._settle(following, touched)
            if not self.facts[self.order[following]].is_ending:
                break

    def _settle(self, place: int, touched: set[_Key]) -> None:
        """Makes the fact at this place a start or not, as its predecessor requires."""
        key = self.order[place]
        before = self.values[self.order[place - 1]] if place else None
        value: str | None = self.facts[key].value
        if self.facts[key].is_ending:
            value = NOTHING if before == value else before
        self.values[key] = value
        begins = before != value
        at = bisect_left(self.starts, key)
        is_start = at < len(self.starts) and self.starts[at] == key
        if begins == is_start:
            return
        touched.add(key)
        if at:
            touched.add(self.starts[at - 1])
        if begins:
            insort(self.starts, key)
        else:
            del self.starts[at]

    def interval_from(self, key: _Key) -> tuple[datetime | None] | None:
        """The end of the interval that begins with this fact, in a tuple; None if it begins none."""
        at = bisect_left(self.starts, key)
        if at == len(self.starts) or self.starts[at] != key:
            return None
        return (self.starts[at + 1][0] if at + 1 < len(self.starts) else None,)


def history(facts: Collection[StateFact]) -> list[StateInterval]:
    """Every interval ever believed, by the time it became known and then by its beginning.

    What is believed at K is the fold of the facts recorded by K and not withdrawn by then, ordered by
    (at, rank, source_id), except that alternating changes of one moment follow what held before. Facts
    before the opening are clamped to it; a value that repeats its predecessor's goes on; an ending of a
    value that does not hold is ignored. Intervals of no length stay. The result depends on the set of
    facts alone; n facts in any order take O(n log n) steps beside moving list items.
    """
    facts = _in_turn(facts)
    timeline = _Timeline()
    believed: dict[_Key, tuple[datetime | None, datetime, StateFact]] = {}
    intervals: list[StateInterval] = []
    for recorded_at, group in groupby(_belief_changes(facts), key=itemgetter(0)):
        news = list(group)
        touched = timeline.add(fact for _, is_known, fact in news if is_known)
        touched |= timeline.remove(fact for _, is_known, fact in news if not is_known)
        for key in sorted(touched):
            now = timeline.interval_from(key)
            before = believed.get(key)
            if before is not None and (now is None or now[0] != before[0]):
                valid_to, since, fact = believed.pop(key)
                intervals.append(
                    StateInterval(
                        _started_value(fact), key[0], valid_to, False, since, recorded_at, fact
                    )
                )
                before = None
            if now is not None and before is None:
                believed[key] = (now[0], recorded_at, timeline.facts[key])
    for key, (valid_to, since, fact) in believed.items():
        intervals.append(
            StateInterval(
                _started_value(fact), key[0], valid_to, valid_to is None, since, None, fact
            )
        )
    intervals.sort(
        key=lambda i: (
            i.recorded_at,
            i.valid_from,
            i.fact.rank,
            i.fact.source_id,
            i.superseded_at is None,
            i.superseded_at or i.recorded_at,
        )
    )
    return intervals


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a history ends: its current value, the time of the latest fact, and when the last became known."""

    value: str
    latest_at: datetime
    latest_known: datetime


def continuation(tail: Tail, facts: Collection[StateFact]) -> list[StateFact] | None:
    """The new facts that each end what held before and begin an interval.

    `history` of all facts is then the earlier history and these changes. None if a fact is not later
    than all before it on both clocks, or affects more than what holds now: then everything has to be
    folded again.
    """
    value, at, known_at = tail.value, tail.latest_at, tail.latest_known
    changes: list[StateFact] = []
    for fact in sorted(facts, key=attrgetter("recorded_at", "at")):
        if fact.at <= at or fact.recorded_at <= known_at:
            return None
        if fact.reason in OPENING_REASONS or fact.is_ending or fact.withdrawn_at is not None:
            return None
        at, known_at = fact.at, fact.recorded_at
        if fact.value != value:
            changes.append(fact)
            value = fact.value
    return changes


def _in_turn(facts: Collection[StateFact]) -> Collection[StateFact]:
    """The facts, with ranks that put alternating changes of one moment into a possible order."""
    together: dict[datetime, list[tuple[str, StateFact]]] = defaultdict(list)
    for fact in facts:
        turn = _turn(fact)
        if turn is not None:
            together[fact.at].append((turn, fact))
    second: dict[StateFact, StateFact] = {}
    for pair in together.values():
        if len(pair) == 2 and frozenset(turn for turn, _ in pair) in _TAKING_TURNS:
            first, other = sorted((fact for _, fact in pair), key=_place)
            second[first] = other
    if not second:
        return facts
    ordered: list[StateFact] = []
    value: str | None = None
    ends_as: dict[StateFact, str] = {}
    for fact in sorted(facts, key=_place):
        partner = second.get(fact)
        if partner is not None and fact.value == value:
            # If it came first it would change nothing, so it came second.
            ordered.append(replace(fact, rank=partner.rank + 1))
            ends_as[partner] = fact.value
            continue
        ordered.append(fact)
        value = ends_as.get(fact, fact.value)
    return ordered


def _turn(fact: StateFact) -> str | None:
    """The kind of a change that takes turns: its reason, except for closings, whose reason says why they
    closed (`completed`)."""
    if fact.reason in ("reopened", "converted-to-draft", "ready-for-review"):
        return fact.reason
    return "closed" if fact.value == "closed" else None


def _place(fact: StateFact) -> tuple[datetime, int, str, str]:
    return (fact.at, fact.rank, fact.source_id, fact.value)


def _started_value(fact: StateFact) -> str:
    """The value of the interval that a fact begins."""
    return NOTHING if fact.is_ending else fact.value


def _belief_changes(facts: Iterable[StateFact]) -> list[tuple[datetime, bool, StateFact]]:
    """(when, whether it is known from then on, fact) in order of time: facts become known, or are
    withdrawn."""
    news = []
    for fact in facts:
        if fact.withdrawn_at is None:
            news.append((fact.recorded_at, True, fact))
        elif fact.withdrawn_at > fact.recorded_at:
            news.append((fact.recorded_at, True, fact))
            news.append((fact.withdrawn_at, False, fact))
    return sorted(news, key=itemgetter(0))
