"""Describes what somebody works on, how and when, by the observations they took part in.

Pure, and the same for any order of the parts. `people/collaborators.py` counts who works with whom,
`people/profiles.py` reads and writes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum

from lightfast_pipelines.domain.time_zones import TimeZone, time_zone_of

RULE_VERSION = 2

HALF_LIFE_SECONDS = 90 * 86_400
# Merging or triaging somebody else's work says half as much about what somebody works on.
_SECOND_HAND = 0.5
_FOLDERS_DEEP = 3
_MOST = {"directory": 12, "category": 6, "entity": 8}
_FAINTEST = 0.05
# An endpoint or error that is named only once may be chance.
_FEWEST_MENTIONS = 2
# With fewer acts the hours above the mean are noise.
FEWEST_DEEDS_FOR_HOURS = 10
_MOST_CONFIDENT = 0.95
_HALF_CONFIDENT_AT = 10

_BY_TYPE = {
    "commit.pushed": "code",
    "issue.opened": "issue",
    "issue.created": "issue",
    "review-comment.created": "discussion",
}
_BY_KIND = {
    "review": "review",
    "issue": "triage",
    "discussion": "discussion",
    "release": "release",
    "deployment": "deployment",
    "incident": "incident",
    "planning": "planning",
    "check": "check",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody's part in one observation.

    `at` is in seconds since 1970. `did`: they acted, which they do not when others merge or deploy their
    work. `is_own`: the work is theirs, alone or with others. `files` are paths, `entities` keys.
    `utc_offset`: minutes east of UTC on the clock of their commit, if the payload says so.
    """

    at: float
    source_type: str
    observation_type: str
    category: str
    did: bool
    is_own: bool
    files: Sequence[str] = ()
    entities: Sequence[str] = ()
    utc_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """`expertise`: domain -> 0 to 1; `contributions`: kind -> share; `hours`: UTC, ascending.

    `last_active` is in seconds since 1970. `time_zone` is None where too little is known.
    """

    expertise: Mapping[str, float]
    contributions: Mapping[str, float]
    hours: tuple[int, ...]
    observations: int
    last_active: float
    confidence: float
    time_zone: TimeZone | None


def profile_of(parts: Sequence[Part]) -> Profile:
    """The profile of somebody with these parts. Raises ValueError for none.

    Weights halve every 90 days and are relative to the strongest of their kind, so they do not depend
    on the time from which they are measured: no profile changes because others went on working.
    Confidence is n / (n + 10), at most 0.95: we know little about a person seen once.
    """
    if not parts:
        raise ValueError("nobody has a profile without having taken part in anything")
    acts = [part.at for part in parts if part.did]
    kinds = Counter(contribution(part) for part in parts if part.did)
    total = kinds.total()
    count = len(parts)
    return Profile(
        expertise=_expertise(parts),
        contributions={kind: share for kind, n in _ranked(kinds) if (share := round(n / total, 2))},
        hours=_active_hours(acts),
        observations=count,
        last_active=max(acts or (part.at for part in parts)),
        confidence=round(min(_MOST_CONFIDENT, count / (count + _HALF_CONFIDENT_AT)), 2),
        time_zone=time_zone_of(
            acts,
            [(part.at, part.utc_offset) for part in parts if part.utc_offset is not None],
            half_life=HALF_LIFE_SECONDS,
        ),
    )


def contribution(part: Part) -> str:
    """The kind of contribution: code, pull_request, review, discussion, issue, triage, ..."""
    thing, _, transition = part.source_type.partition(".")
    if thing == "pull-request":
        if part.is_own:
            return "pull_request"
        return "review" if transition == "merged" else "triage"
    kind = _BY_TYPE.get(part.source_type) or _BY_KIND.get(part.observation_type)
    return kind or ("code" if part.observation_type == "change" else "other")


def directory_of(path: str) -> str:
    """The folder of a file, three levels deep at most; `.` for a file at the root."""
    return "/".join(path.split("/")[:-1][:_FOLDERS_DEEP]) or "."


def _expertise(parts: Sequence[Part]) -> dict[str, float]:
    newest = max(part.at for part in parts)
    weights: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in _MOST}
    for part in parts:
        weight = 0.5 ** ((newest - part.at) / HALF_LIFE_SECONDS)
        if not part.is_own:
            weight *= _SECOND_HAND
        for path in part.files:
            # Divided, so that renaming a thousand files counts as one piece of work.
            share = weight / len(part.files)
            weights["directory"][f"directory:{directory_of(path)}"].append(share)
        for key in part.entities:
            weights["entity"][key].append(weight)
        if part.category != "other":
            weights["category"][f"category:{part.category}"].append(weight)
    expertise: dict[str, float] = {}
    for kind, most in _MOST.items():
        sums = {
            name: fsum(each)
            for name, each in weights[kind].items()
            if kind != "entity" or len(each) >= _FEWEST_MENTIONS
        }
        strongest = max(sums.values(), default=0.0)
        for name, weight in _ranked(sums)[:most]:
            # After decades without work even the strongest weight may underflow to zero.
            relative = round(weight / strongest, 2) if strongest else 0.0
            if relative >= _FAINTEST:
                expertise[name] = relative
    return expertise


def _active_hours(times: Iterable[float]) -> tuple[int, ...]:
    """Hours of the day with more acts than the mean of all 24."""
    counts = Counter(datetime.fromtimestamp(at, UTC).hour for at in times)
    total = counts.total()
    if total < FEWEST_DEEDS_FOR_HOURS:
        return ()
    return tuple(sorted(hour for hour, count in counts.items() if count * 24 > total))


def _ranked(weights: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda item: (-item[1], item[0]))
