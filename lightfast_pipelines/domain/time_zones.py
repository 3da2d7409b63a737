"""Guesses somebody's time zone: from the UTC offsets of their commits, else from the hours of their work.

Pure. A guess is an offset from UTC, not a place: it is off by an hour for half of the year where clocks
change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp, fsum, log
from typing import Literal

_MOST_CONFIDENT = 0.95
# One commit may have been made on somebody else's machine, or on a journey.
_HALF_CONFIDENT_AT = 2
FEWEST_ACTS = 20
"""With fewer acts, hours say nothing about where somebody lives."""

# Of 1,000 acts, how many are done in each hour of the local day, and of 1,000 people, how many live at each
# offset from -11 to +12. Counted on the dated entries of Debian's changelogs before October 2019: 77
# people with twenty entries or more, and 460 people; both smoothed over neighbouring hours.
_LOCAL_HOURS = (
    *(41, 30, 21, 14, 11, 10, 14, 20, 28, 38, 47, 52),
    *(51, 55, 58, 58, 57, 55, 53, 58, 60, 58, 57, 52),
)
_OFFSETS = range(-11, 13)
_PEOPLE_AT = (
    *(5, 4, 9, 24, 33, 35, 50, 55, 29, 8, 22, 83),
    *(192, 217, 96, 9, 7, 13, 14, 16, 25, 26, 17, 10),
)
# Acts come in sessions, so a hundred of them say as much as twenty that are independent.
_INDEPENDENT = 0.2


@dataclass(frozen=True, slots=True)
class TimeZone:
    """`minutes` east of UTC. `confidence`, 0 to 1, is that it is right to the hour."""

    minutes: int
    confidence: float
    evidence: Literal["commits", "hours"]

    def __str__(self) -> str:
        hours, minutes = divmod(abs(self.minutes), 60)
        return f"UTC{'-' if self.minutes < 0 else '+'}{hours:02}:{minutes:02}"


def time_zone_of(
    acts: Sequence[float], offsets: Iterable[tuple[float, int]], *, half_life: float
) -> TimeZone | None:
    """The more certain of the two guesses; None if there is too little to tell.

    `acts` are times in seconds since 1970, `offsets` are (time, minutes east of UTC) of commits. Offsets
    lose half of their weight in each `half_life`, as people move.
    """
    by_offsets = _by_offsets(list(offsets), half_life)
    by_hours = time_zone_by_hours(acts)
    if by_offsets is None or by_hours is None:
        return by_offsets or by_hours
    return by_hours if by_hours.confidence > by_offsets.confidence else by_offsets


def _by_offsets(offsets: Sequence[tuple[float, int]], half_life: float) -> TimeZone | None:
    if not offsets:
        return None
    newest = max(at for at, _ in offsets)
    weights: dict[int, list[float]] = defaultdict(list)
    for at, minutes in offsets:
        weights[minutes].append(0.5 ** ((newest - at) / half_life))
    sums = {minutes: fsum(each) for minutes, each in weights.items()}
    likeliest = min(sums, key=lambda minutes: (-sums[minutes], minutes))
    # An hour more or less is the same place at another time of the year.
    near = fsum(sum_ for minutes, sum_ in sums.items() if abs(minutes - likeliest) <= 60)
    certain = len(offsets) / (len(offsets) + _HALF_CONFIDENT_AT)
    confidence = min(_MOST_CONFIDENT, near / fsum(sums.values()) * certain)
    return TimeZone(likeliest, round(confidence, 2), "commits")


def time_zone_by_hours(acts: Iterable[float]) -> TimeZone | None:
    """The offset that fits the hours of work best; None for fewer than twenty acts."""
    hours = Counter(datetime.fromtimestamp(at, UTC).hour for at in acts)
    if hours.total() < FEWEST_ACTS:
        return None
    fits = [
        log(people)
        + _INDEPENDENT
        * fsum(
            count * log(_LOCAL_HOURS[(hour + offset) % 24]) for hour, count in sorted(hours.items())
        )
        for offset, people in zip(_OFFSETS, _PEOPLE_AT, strict=True)
    ]
    best = max(fits)
    weights = [exp(fit - best) for fit in fits]
    total = fsum(weights)
    # The offset with the most weight within an hour: the same place in summer and winter.
    near = [
        fsum(weights[(place + step) % 24] for step in (-1, 0, 1)) / total for place in range(24)
    ]
    likeliest = max(range(24), key=lambda place: (round(near[place], 9), -place))
    confidence = min(_MOST_CONFIDENT, near[likeliest])
    return TimeZone(_OFFSETS[likeliest] * 60, round(confidence, 2), "hours")
