"""Derives category, topics, significance, mentions and edges from one statement.

The rules themselves are in the files beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from lightfast_pipelines.domain import classification, significance, topics
from lightfast_pipelines.domain.entities_in_text import find_entities
from lightfast_pipelines.domain.events import Edge, Mention, Statement, Thing
from lightfast_pipelines.domain.key_categories import is_candidate
from lightfast_pipelines.domain.keys import GITHUB
from lightfast_pipelines.domain.written_relations import read_links

MAX_MENTIONS = 50

# Types that say more than that one entity refers to the other.
_STRONGER = frozenset(
    (
        "fixes", "duplicates", "merges_as", "contains", "reverts", "cherry_picks", "resolves",
        "tracked_in",
    )
)  # fmt: skip
# Types that outweigh a reference in either direction: a merge commit that names its pull request adds
# nothing.
_EITHER_WAY = frozenset({"merges_as"})

_TAG = re.compile(r"^\s*\[[^\]\n]{1,40}\]\s*")

# source_type without its transition -> broad kind.
_KINDS = {
    "commit": "change",
    "push": "change",
    "branch": "change",
    "tag": "change",
    "pull-request": "change",
    "issue": "issue",
    "review": "review",
    "review-comment": "review",
    "review-thread": "review",
    "merge-group": "change",
    "release": "release",
    "deployment": "deployment",
    "deployment-review": "deployment",
    "project-deployment": "deployment",
    "rolling-release": "deployment",
    "env-variable": "deployment",
    "flag": "deployment",
    "discussion": "discussion",
    "comment": "discussion",
    "discussion-comment": "discussion",
    "commit-comment": "discussion",
    "error": "incident",
    "event-alert": "incident",
    "activity-alert": "incident",
    "seer": "incident",
    "metric-alert": "incident",
    "alert": "incident",
    "workflow-run": "check",
    "check-suite": "check",
    "check-run": "check",
    "project": "planning",
    "cycle": "planning",
    "project-update": "planning",
    "initiative": "planning",
    "initiative-update": "planning",
    "document": "planning",
    "release-note": "release",
    "customer-need": "issue",
    "issue-relation": "issue",
    "milestone": "planning",
    "project-item": "planning",
    "dependabot-alert": "issue",
    "code-scanning-alert": "issue",
    "secret-scanning-alert": "issue",
    "issue-label": "planning",
    "attachment": "issue",
    "reaction": "discussion",
}
_KINDS_BY_SOURCE = {("sentry", "issue"): "incident"}


@dataclass(frozen=True, slots=True)
class Enriched:
    """What is derived from a statement.

    There are at most 50 `mentions` beside the files that a commit changed (more only if more edges are
    stated), the subject first, and after them the candidates (`key_categories.is_candidate`).
    """

    category: str
    topics: tuple[str, ...]
    observation_type: str
    significance_score: int
    significance_factors: tuple[str, ...]
    mentions: tuple[Mention, ...]
    edges: tuple[Edge, ...]


def observation_type(source: str, source_type: str) -> str:
    """The broad kind: change, issue, review, release, deployment, discussion, incident, check, planning, other."""
    kind = source_type.partition(".")[0]
    return _KINDS_BY_SOURCE.get((source, kind)) or _KINDS.get(kind, "other")


def _edges(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The most certain of equal edges, and no references between entities that a stronger edge joins."""
    best: dict[tuple[str, str, str], Edge] = {}
    for edge in edges:
        identity = (edge.subject.key, edge.type, edge.object.key)
        if identity not in best or edge.confidence > best[identity].confidence:
            best[identity] = edge
    if len(best) < 2 or all(edge.type != "references" for edge in best.values()):
        return tuple(best.values())
    stronger: set[tuple[str, str]] = set()
    for edge in best.values():
        if edge.type in _STRONGER:
            pairs = set(product(_names(edge.subject), _names(edge.object)))
            stronger |= pairs
            if edge.type in _EITHER_WAY:
                stronger |= {(second, first) for first, second in pairs}
    return tuple(
        edge
        for edge in best.values()
        if edge.type != "references"
        or stronger.isdisjoint(product(_names(edge.subject), _names(edge.object)))
    )


def _names(thing: Thing) -> tuple[str, ...]:
    """All names of an entity: a payload may name by id what a text names by its repository."""
    return (thing.key, *thing.aliases)


def _mentions(
    statement: Statement, edges: Iterable[Edge], from_text: Iterable[Mention]
) -> tuple[Mention, ...]:
    """The most certain mention of each key and role.

    If there are more than 50, the subject and both ends of every edge stay, and the most certain of the
    rest. Candidates, most of which mean nothing, do not count; nor do changed files, which are what an
    observation is about, not what it mentions.
    """
    best: dict[tuple[str, str], Mention] = {}

    def keep(mention: Mention) -> None:
        identity = (mention.thing.key, mention.role)
        if identity not in best or mention.confidence > best[identity].confidence:
            best[identity] = mention

    keep(Mention(statement.subject, "subject"))
    for mention in statement.mentions:
        keep(mention)
    mentioned_keys = {key for key, _ in best}
    needed = {statement.subject.key}
    for edge in edges:
        for thing in (edge.subject, edge.object):
            needed.add(thing.key)
            if thing.key not in mentioned_keys:
                keep(Mention(thing, "related", edge.evidence, edge.confidence, edge.method))
    mentioned_keys = {key for key, _ in best}
    for mention in from_text:
        if mention.thing.key not in mentioned_keys:
            keep(mention)
    candidates = [mention for (key, _), mention in best.items() if is_candidate(key)]
    best = {identity: m for identity, m in best.items() if not is_candidate(identity[0])}
    changed_files = [mention for mention in best.values() if is_changed_file(mention)]
    if len(best) - len(changed_files) <= MAX_MENTIONS:
        return (*best.values(), *candidates)
    best = {identity: m for identity, m in best.items() if not is_changed_file(m)}

    def rank(mention: Mention) -> tuple[bool, float, bool, str, str]:
        return (
            mention.role != "subject",
            -mention.confidence,
            mention.role != "reference",
            mention.role,
            mention.thing.key,
        )

    ordered = sorted(best.values(), key=rank)
    first = {mention.thing.key: mention for mention in reversed(ordered)}
    kept = [mention for mention in ordered if first[mention.thing.key] is mention]
    kept = [mention for mention in kept if mention.thing.key in needed]
    # Compared by key and role: comparing whole mentions took minutes for 40,000.
    identities = {(mention.thing.key, mention.role) for mention in kept}
    others = [m for m in ordered if (m.thing.key, m.role) not in identities]
    return (
        *[*kept, *others][: max(MAX_MENTIONS, len(kept))],
        *changed_files,
        *candidates,
    )


def is_changed_file(mention: Mention) -> bool:
    """Whether the mention states what a commit did to a file; it does not count as one of `MAX_MENTIONS`."""
    return mention.role == "file" and mention.evidence is not None


def enrich(statement: Statement) -> Enriched:
    """Applies every rule to one statement; the result depends on the statement alone."""
    title = _TAG.sub("", statement.title, count=1)
    title_words = significance.words_of(title)
    words = [*significance.words_of(statement.title), *significance.words_of(statement.content)]
    kind = classification.classify(statement, title, title_words)
    score, factors = significance.score(statement, words)
    linked = read_links(statement)
    edges = _edges((*statement.edges, *linked.edges))
    text_mentions = find_entities(
        f"{statement.title}\n{statement.content}",
        logins=statement.scope is not None,
        host=statement.scope.host if statement.scope is not None else GITHUB,
    )
    return Enriched(
        category=kind.category,
        topics=topics.topics_of(statement, kind, title_words),
        observation_type=observation_type(statement.source, statement.source_type),
        significance_score=score,
        significance_factors=factors,
        mentions=_mentions(statement, edges, (*linked.mentions, *text_mentions)),
        edges=edges,
    )
