"""Estimates how many deployments a window holds: Vercel gives no totals.

If there are few pages, all are read. If there are many, the first ones are read, the rest is sampled at
regular times, and the density of the samples gives the number.
"""

from __future__ import annotations

from collections.abc import Sequence

from lightfast_pipelines.providers.api_contract import Answer
from lightfast_pipelines.providers.vercel.api.listing import (
    creation_times,
    items_of,
    milliseconds,
    next_until,
)

FIRST_PAGES = 3
MOST_REQUESTS = 11


def count(answers: Sequence[Answer]) -> int:
    return sum(len(items_of(answer)) for answer in answers)


def rough_pages(answers: Sequence[Answer], begin: int) -> float:
    """All pages, if the density of these consecutive ones holds back to `begin`."""
    newest = max(creation_times(items_of(answers[0])), default=None)
    oldest = min(creation_times(items_of(answers[-1])), default=None)
    first = begin if newest is None else milliseconds(newest)
    last = begin if oldest is None else milliseconds(oldest)
    reach = max(1, first - last)
    return len(answers) * (1 + (last - begin) / reach)


def extrapolated(answers: Sequence[Answer], begin: int) -> float:
    """Deployments beyond these consecutive pages, if their density holds back to `begin`."""
    return count(answers) * (rough_pages(answers, begin) / len(answers) - 1)


def sample_start(begin: int, end: int, number: int) -> int:
    """Where a sample starts: in the middle of its part of the time. The middle part comes first."""
    parts = MOST_REQUESTS - FIRST_PAGES
    position = (number + parts // 2) % parts
    return round(end - (end - begin) / parts * (position + 0.5))


def integrated(answers: Sequence[Answer], begin: int, end: int) -> float:
    """Deployments between `begin` and the first pages, from the density of the samples."""
    part = (end - begin) / (MOST_REQUESTS - FIRST_PAGES)
    total = 0.0
    for number, answer in enumerate(answers[FIRST_PAGES:]):
        following = next_until(answer)
        reach = sample_start(begin, end, number) - (begin if following is None else following)
        total += len(items_of(answer)) * part / max(reach, 1)
    return total
