"""Finds which deployment serves an environment: which of those that succeeded went live, until when.

A deployment that succeeds need not serve anybody. It may be staged until somebody promotes it, held
back after a rollback, or rolled out in steps. Each fact of a `live_deployment:{environment}` state
therefore says in its metadata what it is based on, and `history` weighs all facts about one environment
together. Facts without a basis are believed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lightfast_pipelines.domain.states import StateFact, StateInterval
from lightfast_pipelines.domain.states import history as plain_history

STATE_TYPE = "live_deployment"
BASIS = "basis"
WITHHOLDS = "withholds"

# The provider states directly what serves.
PROMOTED = "promoted"
"""It serves from now on, unless that begins a rolling release. A project with promotions states every
change, so a success alone means nothing in it."""
ROLLED_BACK = "rollback"
"""It serves again. From now on new deployments are staged until one is promoted."""
ROLLED_OUT = "rolled_out"
"""A rolling release reached everybody. Deployments after it are rolled out as well."""
KEPT = "kept"
"""It serves everybody again, because the rolling release of another was aborted."""

# The provider states that a deployment does not serve (everybody), but not what serves instead.
ROLLING = "rolling"
"""It serves a part of the visitors while its rolling release goes on."""
WITHHELD = "withheld"
"""It failed, was canceled or did not pass its checks: what was presumed until then is wrong."""
STAGED = "staged"
"""It is built, and has served nobody yet."""
BUILT = "built"
"""It is built, and its checks have not ended yet."""

# It is presumed to serve, because nothing better is known.
SERVED = "served"
"""The provider's API states that it has served, but not since when."""
SUCCESS = "success"
"""It succeeded, and usually goes live by that."""
LISTED = "listed"
"""The provider's API lists it as ready and states no more."""

_STATE_NOTHING = frozenset({ROLLING, WITHHELD, STAGED, BUILT})
_PRESUMED = frozenset({SERVED, SUCCESS, LISTED})
_ENDS_AUTOMATIC = frozenset({ROLLED_BACK, ROLLED_OUT, KEPT, ROLLING})
# Promoting a deployment begins a rolling release, so both are stated at once.
_AT_ONCE = timedelta(minutes=1)
_CERTAINTY = {SERVED: 1, STAGED: 2, SUCCESS: 3, LISTED: 4, BUILT: 5}


def certainty(metadata: Mapping[str, Any]) -> int:
    """Where several payloads state one fact, the one with the smallest number is believed."""
    return _CERTAINTY.get(str(metadata.get(BASIS)), 0)


def without_basis(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of the state alone: webhooks and API state one fact on different grounds."""
    return {name: value for name, value in metadata.items() if name not in (BASIS, WITHHOLDS)}


def history(facts: Collection[StateFact]) -> list[StateInterval]:
    """As `states.history`, of the facts that the others do not disprove.

    A presumption is believed from when it is recorded until a recorded fact disproves it. So the result
    depends on the set of facts alone, on both clocks.
    """
    return plain_history(_believed(facts))


def _basis(fact: StateFact) -> str | None:
    basis = fact.metadata.get(BASIS)
    return basis if isinstance(basis, str) else None


class _KnownSince:
    """Since when a fact of some kind is known, by its time."""

    def __init__(self, facts: Iterable[StateFact], *, backwards: bool = False) -> None:
        ordered = sorted(facts, key=lambda fact: fact.at, reverse=backwards)
        self.moments = [fact.at for fact in ordered]
        self.first: list[datetime] = []
        for fact in ordered:
            self.first.append(min([fact.recorded_at, *self.first[-1:]]))
        if backwards:
            self.moments.reverse()
            self.first.reverse()

    def until(self, at: datetime) -> datetime | None:
        """When the first of the facts at or before `at` became known."""
        place = bisect_right(self.moments, at)
        return self.first[place - 1] if place else None

    def since(self, at: datetime) -> datetime | None:
        """When the first of the facts at or after `at` became known; only if made `backwards`."""
        place = bisect_left(self.moments, at)
        return self.first[place] if place < len(self.first) else None


def _believed(facts: Collection[StateFact]) -> list[StateFact]:
    """The facts that state what serves, each presumption with the time from which it is disproved."""
    promotions = [fact for fact in facts if _basis(fact) == PROMOTED]
    all_changes_stated_since = min((fact.recorded_at for fact in promotions), default=None)
    promoted = _KnownSince(promotions)
    automatic_ended = _KnownSince(fact for fact in facts if _basis(fact) in _ENDS_AUTOMATIC)
    against: dict[str, list[StateFact]] = defaultdict(list)
    own_promotion: dict[str, datetime] = {}
    for fact in facts:
        basis = _basis(fact)
        if basis in (PROMOTED, ROLLED_OUT):
            earlier = own_promotion.get(fact.value, fact.recorded_at)
            own_promotion[fact.value] = min(earlier, fact.recorded_at)
        if basis in (ROLLING, WITHHELD):
            against[fact.value].append(fact)
        withheld = fact.metadata.get(WITHHOLDS)
        if isinstance(withheld, str):
            against[withheld].append(fact)
    withholding = {
        value: _KnownSince(withheld_facts, backwards=True)
        for value, withheld_facts in against.items()
    }

    def disproved_at(fact: StateFact, basis: str) -> datetime | None:
        reasons = [own_promotion.get(fact.value)]
        if fact.value in withholding:
            reasons.append(withholding[fact.value].since(fact.at))
        if basis != SERVED:
            reasons.append(automatic_ended.until(fact.at))
            reasons.append(promoted.until(fact.at) if basis == LISTED else all_changes_stated_since)
        return min((reason for reason in reasons if reason is not None), default=None)

    rolling: dict[str, list[StateFact]] = defaultdict(list)
    for fact in facts:
        if _basis(fact) == ROLLING:
            rolling[fact.value].append(fact)
    believed = []
    for fact in facts:
        basis = _basis(fact)
        if basis in _STATE_NOTHING:
            continue
        if basis == PROMOTED and fact.value in rolling:
            begun = (
                step.recorded_at
                for step in rolling[fact.value]
                if abs(step.at - fact.at) <= _AT_ONCE
            )
            believed.append(replace(fact, withdrawn_at=min(begun, default=None)))
        elif basis is not None and basis in _PRESUMED:
            believed.append(replace(fact, withdrawn_at=disproved_at(fact, basis)))
        else:
            believed.append(fact)
    return believed
