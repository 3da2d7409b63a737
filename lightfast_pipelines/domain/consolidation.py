"""Decides a workspace's clusters from all of its observations: threads, units, groups and labels.

Pure: it combines the rules of `threads.py`, `clusters.py` and `labels.py`. `clustering/` reads the
observations and writes what changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from lightfast_pipelines.domain.affinity import Meaning
from lightfast_pipelines.domain.cluster_status import is_commit, is_item
from lightfast_pipelines.domain.clusters import cluster_id, join
from lightfast_pipelines.domain.labels import Labeller, Titled, is_merge
from lightfast_pipelines.domain.pair_evidence import Unit
from lightfast_pipelines.domain.threads import ThreadEdge, thread_keys, thread_of
from lightfast_pipelines.domain.work_marks import NO_MARKS, WorkMarks

# Transitions of an item that its author makes, and not who merges, closes or reviews it.
_BEGINNINGS = frozenset(("opened", "created"))
MOST_ENTITIES = 20
MOST_ACTORS = 10


@dataclass(frozen=True, slots=True)
class Happening:
    """The part of an observation that clusters depend on.

    `at` is in seconds, `author` names the person (an actor, else an identity), `identity` the
    identity as `source:source_id`, `files` are entity keys, `marks` are those of its title and text.
    """

    source_id: str
    subject_key: str
    at: float
    title: str
    author: str | None = None
    identity: str | None = None
    files: frozenset[str] = frozenset()
    marks: WorkMarks = NO_MARKS


@dataclass(frozen=True, slots=True)
class Cluster:
    """A decided cluster; `members` are positions of happenings, `first` and `last` are in seconds."""

    id: str
    label: str
    keywords: tuple[str, ...]
    primary_entities: tuple[str, ...]
    primary_actors: tuple[str, ...]
    first: float
    last: float
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Threads:
    """The thread key and the unit of each happening; `unit_of` are positions in `units`."""

    keys: tuple[str, ...]
    units: tuple[Unit, ...]
    unit_of: tuple[int, ...]


def find_threads(happenings: Sequence[Happening], links: Iterable[ThreadEdge]) -> Threads:
    """Level one. Units are ordered by their earliest happening."""
    edges = list(links)
    by_subject = thread_keys((h.subject_key for h in happenings), edges)
    keys = tuple(thread_of(h.subject_key, h.source_id, by_subject) for h in happenings)
    members: dict[str, list[Happening]] = defaultdict(list)
    for key, happening in zip(keys, happenings, strict=True):
        members[key].append(happening)
    place = {key: position for position, key in enumerate(members)}
    merges = frozenset(edge.object for edge in edges if edge.type == "merges_as")
    units = tuple(_unit(thread, merges) for thread in members.values())
    return Threads(keys, units, tuple(place[key] for key in keys))


def _unit(members: Sequence[Happening], merges: Set[str]) -> Unit:
    """Its times and author are those of who began the work."""
    work = _work(members, merges)
    first = min(work, key=lambda h: (h.author is None, h.at, h.source_id))
    return Unit(
        key=min(h.source_id for h in members),
        times=tuple(sorted(h.at for h in work if h.author == first.author)),
        authors=frozenset((first.author,) if first.author is not None else ()),
        files=frozenset().union(*(h.files for h in members)),
        is_declared=any(is_item(h.subject_key) for h in members),
        marks=first.marks,
    )


def _work(members: Sequence[Happening], merges: Set[str]) -> Sequence[Happening]:
    """Those of a thread's happenings that are work, and do not just review, merge or close what is done.

    A maintainer ends many requests in one sitting, which says nothing about their work: on ipython it
    made 17 requests of half a year one cluster. `merges` are the commits that merge a request; one is
    work if there is no other, as where requests are squashed and their own commits are unknown.
    """
    work = [
        happening
        for happening in members
        if (not is_item(happening.subject_key) or _transition(happening) in _BEGINNINGS)
        and not is_merge(happening.title)
    ]
    commits = [h for h in work if is_commit(h.subject_key)]
    if any(commit.subject_key not in merges for commit in commits):
        work = [happening for happening in work if happening.subject_key not in merges]
    return work or members


def _transition(happening: Happening) -> str | None:
    """What happened to its subject; None if it is about a part of it, such as a comment or a review.

    Such a part is in the transition (`comment.created`) or has a key of its own (`linear:comment:7|created`).
    """
    subject, source_id = f"{happening.subject_key}|", happening.source_id
    if not source_id.startswith(subject):
        return None
    transition = source_id.removeprefix(subject).partition("|")[0]
    return None if "." in transition else transition


def decide(
    org_id: str,
    workspace_slug: str,
    happenings: Sequence[Happening],
    threads: Threads,
    meaning: Meaning,
) -> list[Cluster]:
    """Level two: puts each happening into exactly one cluster."""
    if not happenings:
        return []
    members: list[list[int]] = [[] for _ in threads.units]
    for position, unit in enumerate(threads.unit_of):
        members[unit].append(position)
    labeller = Labeller(map(titled, happenings))
    return [
        describe(
            org_id,
            workspace_slug,
            happenings,
            sorted(position for unit in group for position in members[unit]),
            labeller,
        )
        for group in join(threads.units, meaning)
    ]


def describe(
    org_id: str,
    workspace_slug: str,
    happenings: Sequence[Happening],
    positions: Sequence[int],
    labeller: Labeller,
) -> Cluster:
    """The cluster of these happenings."""
    members = [happenings[position] for position in positions]
    label = labeller.label([titled(happening) for happening in members])
    earliest = min(members, key=lambda happening: (happening.at, happening.source_id))
    # Named by its subject, whose later events may sort before the first one: `closed`, `opened`.
    name = thread_of(earliest.subject_key, earliest.source_id, {})
    return Cluster(
        id=cluster_id(org_id, workspace_slug, name),
        label=label.title,
        keywords=label.keywords,
        primary_entities=_most((h.subject_key for h in members), MOST_ENTITIES),
        primary_actors=_most((h.identity for h in members if h.identity), MOST_ACTORS),
        first=earliest.at,
        last=max(happening.at for happening in members),
        members=tuple(positions),
    )


def titled(happening: Happening) -> Titled:
    """What it adds to its cluster's label. The title of a comment or review is its own text, and not that
    of the pull request or issue that it is about."""
    is_of_item = is_item(happening.subject_key) and _transition(happening) is not None
    return Titled(happening.title, happening.files, is_of_item)


def _most(names: Iterable[str], most: int) -> tuple[str, ...]:
    counts = Counter(names)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:most])
