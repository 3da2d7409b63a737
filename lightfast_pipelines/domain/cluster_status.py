"""Whether work on a cluster goes on: it is open, or closed because its items are done or it is idle.

Pure: the same members, states and clock give the same status, in whatever order they arrived.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Literal

from lightfast_pipelines.domain.key_categories import categories

# Things that somebody opens, works on and finishes.
ITEMS = frozenset(("pull_request", "issue", "discussion"))
# Values of their state `status` in which nobody works on them any more. A deleted item is done, too.
DONE = frozenset(
    (
        "merged", "closed", "answered", "completed", "canceled", "resolved", "ignored", "archived",
        "deleted",
    )
)  # fmt: skip

# A cluster is idle if its last event is this much older than its workspace's latest one. Of ipython's
# pull requests, 5.4 % go on after a longer pause in the earlier half of its history and 6.2 % in the later
# one (after 14 days 11 % and 13 %); `python -m bench.quality.idle_gaps` measures it. Nor does anything
# join a cluster by similarity after 30 days (`pair_evidence.py`).
IDLE_SECONDS = 30 * 86_400

# The commit that merges a pull request has a time of its own, some seconds from that of the merge.
_SAME_MOMENT = 300.0


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """The current value of an item's status, and since when (in seconds)."""

    value: str
    since: float


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """`reason` says why it is closed: its items are done, or it is idle."""

    status: Literal["open", "closed"]
    reason: Literal["done", "idle"] | None = None


OPEN = ClusterStatus("open")


def _prefixes(wanted: Container[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}:" for prefix, category in categories().items() if category in wanted)


# Consolidation asks several times for each observation, which made these a twentieth of its time.
_ITEM_PREFIXES = _prefixes(ITEMS)
_COMMIT_PREFIXES = _prefixes(("commit",))


def is_item(subject_key: str) -> bool:
    return subject_key.startswith(_ITEM_PREFIXES)


def is_commit(subject_key: str) -> bool:
    return subject_key.startswith(_COMMIT_PREFIXES)


def decide_status(
    items: Iterable[ItemStatus | None], *, last_commit: float | None, last: float, clock: float
) -> ClusterStatus:
    """The status of a cluster with these items (None: its status is unknown).

    `last_commit` and `last` are the times of its latest commit and of its latest event, `clock` is that
    of its workspace's latest event: a history that ended years ago is no reason to close its last work.
    A commit after the last item was done means that work goes on; a comment or a deployment does not.
    """
    statuses = list(items)
    if statuses and all(item is not None and item.value in DONE for item in statuses):
        done = max(item.since for item in statuses if item is not None)
        if last_commit is None or last_commit <= done + _SAME_MOMENT:
            return ClusterStatus("closed", "done")
    if clock - last > IDLE_SECONDS:
        return ClusterStatus("closed", "idle")
    return OPEN
