"""What happened to clusters between two decisions, and which cluster each former id stands for now.

Pure. `before` is what the log says about them, so that a rebuild, which decides the same again from
nothing, logs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightfast_pipelines.domain.cluster_status import ClusterStatus

# Clusters that the detail of a split names; all others are only counted.
_MOST_NAMED = 20

# After one of these, a cluster no longer exists.
ENDS = frozenset(("merged", "renamed", "removed"))


@dataclass(frozen=True, slots=True)
class LoggedCluster:
    """A cluster as the log has it: how many observations it had, and whether it was closed."""

    observations: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class DecidedCluster:
    """A cluster as it is decided now."""

    observations: int
    status: ClusterStatus


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """A row of the log; `detail` holds numbers and ids."""

    cluster_id: str
    event: str
    detail: Mapping[str, Any]


def successors(moves: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Former cluster -> the one that most of its members are in now; the smaller id of two alike."""
    return {
        old: min(targets, key=lambda new: (-targets[new], new))
        for old, targets in moves.items()
        if targets
    }


def cluster_events(
    before: Mapping[str, LoggedCluster],
    current: Mapping[str, DecidedCluster],
    moves: Mapping[str, Counter[str]],
) -> list[ClusterEvent]:
    """What changed, in an order in which it can be read: births, changes of size, ends, then status.

    `moves` counts, for each cluster of `before`, in which clusters its members are now.
    """
    origins: dict[str, list[str]] = {}
    for old in sorted(before):
        for new in moves.get(old, ()):
            origins.setdefault(new, []).append(old)
    births = {new: origins.get(new, []) for new in current.keys() - before.keys()}
    # A new id stands for the cluster that gave it most of its members; the others were merged into it.
    heirs = {
        new: max(olds, key=lambda old: (moves[old][new], -olds.index(old)))
        for new, olds in births.items()
        if olds
    }
    events = [
        ClusterEvent(
            new,
            "created",
            {"observations": current[new].observations}
            | ({"from": births[new][:_MOST_NAMED]} if births[new] else {}),
        )
        for new in sorted(births)
    ]
    for old in sorted(before):
        has = current[old].observations if old in current else 0
        events += _resized(old, before[old].observations, has, moves.get(old, Counter()), heirs)
    for cluster in sorted(current):
        events += _opened_or_closed(cluster, before.get(cluster), current[cluster])
    return events


def _resized(
    cluster: str, had: int, has: int, targets: Counter[str], heirs: Mapping[str, str]
) -> Iterator[ClusterEvent]:
    """`has` is 0 for an id that no longer exists; `targets` says where its members went."""
    if len(targets) > 1:
        named = sorted(targets.items(), key=lambda target: (-target[1], target[0]))[:_MOST_NAMED]
        detail = {"observations": has, "before": had, "into": dict(named), "clusters": len(targets)}
        yield ClusterEvent(cluster, "split", detail)
    elif has:
        if has != had:
            event = "grown" if has > had else "shrunk"
            yield ClusterEvent(cluster, event, {"observations": has, "before": had})
    elif not targets:
        yield ClusterEvent(cluster, "removed", {"before": had, "into": None})
    else:
        [into] = targets
        event = "renamed" if heirs.get(into) == cluster else "merged"
        yield ClusterEvent(cluster, event, {"before": had, "into": into})


def _opened_or_closed(
    cluster: str, logged: LoggedCluster | None, decided: DecidedCluster
) -> Iterator[ClusterEvent]:
    was_closed = logged is not None and logged.is_closed
    is_closed = decided.status.status == "closed"
    if is_closed == was_closed:
        return
    detail: dict[str, Any] = {"observations": decided.observations}
    if is_closed:
        detail["reason"] = decided.status.reason
    yield ClusterEvent(cluster, "closed" if is_closed else "reopened", detail)
