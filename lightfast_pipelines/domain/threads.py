"""Level one of clusters: threads, which are things that strong edges connect.

A pull request with its commits and the issue that it fixes is a thread; a commit pushed directly to a
branch is a thread of its own. Similarity matters only in `clusters.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lightfast_pipelines.domain.grouping import Groups
from lightfast_pipelines.domain.key_categories import category_of

# Edges that state that two things are one piece of work. Not `cherry_picks`: a branch of backports
# picks from many threads. Not `references`, `caused_by`, `belongs_to`, `parent`, `blocks` and the weak
# types: these connect related work.
STRONG = frozenset(
    ("contains", "merges_as", "fixes", "resolves", "tracked_in", "deploys", "duplicates", "reverts")
)
_CONTAINMENT = frozenset(("contains", "merges_as"))

# An issue that more pull requests than this fix, or a change that fixes more issues, is an umbrella over
# their threads and belongs to none of them.
MOST_THREADS_OF_A_THING = 10

# Things that all kinds of work concern: each observation of them is a thread of its own.
_STANDING = frozenset(
    (
        "repository", "branch", "project", "team", "cycle", "milestone", "label", "user", "alert",
        "file", "service", "config", "endpoint", "error", "other",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ThreadEdge:
    """An edge between two entities, by their keys; types that are not strong are ignored."""

    subject: str
    type: str
    object: str


def thread_keys(subjects: Iterable[str], links: Iterable[ThreadEdge]) -> dict[str, str]:
    """subject -> its thread: the smallest key of all connected things, whether observed or not."""
    strong = sorted({(link.subject, link.type, link.object) for link in links if _is_strong(link)})
    keys = sorted({*subjects, *(key for a, _, b in strong for key in (a, b))})
    number = {key: position for position, key in enumerate(keys)}
    groups = Groups(len(keys))
    for pull_request, commit in _owners(strong):
        groups.join(number[pull_request], number[commit])
    # A pull request is one neighbour of an issue, even if thirty of its commits say `fixes #5`.
    neighbours: dict[int, set[int]] = defaultdict(set)
    others = [(number[a], kind, number[b]) for a, kind, b in strong if kind not in _CONTAINMENT]
    # Deployments do not count: one commit may be deployed to thirty projects.
    counted = [(groups.find(a), groups.find(b)) for a, kind, b in others if kind != "deploys"]
    for a, b in counted:
        if a != b:
            neighbours[a].add(b)
            neighbours[b].add(a)
    umbrellas = {
        group for group, around in neighbours.items() if len(around) > MOST_THREADS_OF_A_THING
    }
    joins = [(a, b) for a, kind, b in others if kind == "deploys"]
    joins += [pair for pair in counted if not umbrellas.intersection(pair)]
    for a, b in joins:
        groups.join(a, b)
    return {key: keys[groups.find(position)] for key, position in number.items()}


def thread_of(subject_key: str, source_id: str, threads: dict[str, str]) -> str:
    """The thread of an observation; its own id if its subject is a standing thing."""
    return source_id if is_standing(subject_key) else threads.get(subject_key, subject_key)


def is_standing(subject_key: str) -> bool:
    """Whether it is a long-lived thing such as a branch, whose observations need not be related."""
    return category_of(subject_key) in _STANDING


def _is_strong(link: ThreadEdge) -> bool:
    if link.subject == link.object or link.type not in STRONG:
        return False
    # A release contains all work since the last one, so that does not connect it.
    if link.type in _CONTAINMENT and category_of(link.subject) != "pull_request":
        return False
    return not is_standing(link.subject) and not is_standing(link.object)


def _owners(strong: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """(pull request, commit): the one pull request of each commit.

    It is the one that the commit merges, else the smallest that contains it: a pull request that merges a
    branch back contains the commits of many others.
    """
    size: dict[str, int] = defaultdict(int)
    claims: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for pull_request, kind, commit in strong:
        if kind in _CONTAINMENT:
            size[pull_request] += kind == "contains"
            claims[commit].append((kind != "merges_as", pull_request))
    return [
        (min(claim, key=lambda c: (c[0], size[c[1]], c[1]))[1], commit)
        for commit, claim in claims.items()
    ]
