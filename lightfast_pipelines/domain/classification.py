"""What kind of work an observation is about: one of 14 categories, and its topics.

The provider's own event type decides first, then a conventional prefix, then paths and whole words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lightfast_pipelines.domain.events import Statement

CATEGORIES = (
    "bug_fix",
    "feature",
    "refactor",
    "documentation",
    "testing",
    "infrastructure",
    "security",
    "performance",
    "incident",
    "decision",
    "discussion",
    "release",
    "deployment",
    "other",
)

# Event types that say themselves what they are, by what comes before the dot.
_BY_THING = {
    "release": "release",
    "deployment": "deployment",
    "project-deployment": "deployment",
    "discussion": "discussion",
    "discussion-comment": "discussion",
    "comment": "discussion",
    "review": "discussion",
    "review-comment": "discussion",
    "commit-comment": "discussion",
    "metric-alert": "incident",
    "event-alert": "incident",
    "error": "incident",
    "workflow-run": "infrastructure",
    "check-suite": "infrastructure",
}

_PREFIX = re.compile(
    r"^\s*(?:\[[^\]\n]{1,40}\]\s*)?(?P<type>[A-Za-z][A-Za-z_-]{1,15})"
    r"(?:\((?P<scope>[^()\n]{0,60})\))?(?P<breaking>!)?:\s"
)
_BY_PREFIX = {
    "fix": "bug_fix",
    "bug": "bug_fix",
    "bugfix": "bug_fix",
    "hotfix": "bug_fix",
    "feat": "feature",
    "feature": "feature",
    "enh": "feature",
    "refactor": "refactor",
    "ref": "refactor",
    "style": "refactor",
    "sty": "refactor",
    "cleanup": "refactor",
    "doc": "documentation",
    "docs": "documentation",
    "test": "testing",
    "tests": "testing",
    "tst": "testing",
    "ci": "infrastructure",
    "build": "infrastructure",
    "bld": "infrastructure",
    "chore": "infrastructure",
    "maint": "infrastructure",
    "dep": "infrastructure",
    "deps": "infrastructure",
    "infra": "infrastructure",
    "perf": "performance",
    "security": "security",
    "sec": "security",
    "release": "release",
    "rel": "release",
    "deploy": "deployment",
}


@dataclass(frozen=True, slots=True)
class Prefix:
    """A conventional prefix: `feat(api)!: ...` is type `feat`, scope `api`, breaking."""

    type: str
    scope: str | None
    breaking: bool
    category: str


def conventional_prefix(title: str) -> Prefix | None:
    """The conventional prefix of a title (conventionalcommits.org), or None for an unknown type."""
    match = _PREFIX.match(title)
    if match is None:
        return None
    category = _BY_PREFIX.get(match["type"].lower())
    if category is None:
        return None
    scope = (match["scope"] or "").strip().lower() or None
    return Prefix(match["type"].lower(), scope, match["breaking"] is not None, category)


@dataclass(frozen=True, slots=True)
class Classification:
    """The category, up to three others that also speak, and the conventional prefix if there is one."""

    category: str
    secondary: tuple[str, ...] = ()
    prefix: Prefix | None = None


# Whole words of a title, in order of precedence.
_WORDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("security", frozenset({"security", "vulnerability", "vulnerabilities", "cve", "xss", "csrf"})),
    (
        "incident",
        frozenset({"incident", "outage", "downtime", "emergency", "hotfix", "postmortem"}),
    ),
    (
        "bug_fix",
        frozenset(
            [
                "fix",
                "fixes",
                "fixed",
                "fixing",
                "bug",
                "bugfix",
                "patch",
                "resolve",
                "resolves",
                "resolved",
            ]
        ),
    ),
    (
        "feature",
        frozenset(
            ["feat", "feature", "add", "adds", "added", "adding", "new", "implement", "support"]
        ),
    ),
    (
        "performance",
        frozenset(["perf", "performance", "faster", "speed", "optimize", "optimise", "slow"]),
    ),
    ("testing", frozenset(["test", "tests", "testing", "coverage", "e2e", "pytest"])),
    (
        "documentation",
        frozenset(["doc", "docs", "readme", "documentation", "docstring", "changelog", "typo"]),
    ),
    (
        "infrastructure",
        frozenset(["ci", "cd", "pipeline", "workflow", "docker", "bump", "deps", "dependencies"]),
    ),
    (
        "refactor",
        frozenset(["refactor", "restructure", "reorganize", "cleanup", "rename", "simplify"]),
    ),
    ("discussion", frozenset({"rfc", "proposal", "discuss", "discussion"})),
    ("decision", frozenset({"decision", "decide", "decides", "decided", "adr"})),
)


def classify(statement: Statement, words: Sequence[str]) -> Classification:
    """The category of a statement; `words` are `significance.words_of` its title."""
    prefix = conventional_prefix(statement.title)
    found = frozenset(words)
    hits = [category for category, signal in _WORDS if not signal.isdisjoint(found)]
    thing = statement.source_type.partition(".")[0]
    category = (
        _BY_THING.get(thing)
        or (prefix.category if prefix else None)
        or (hits[0] if hits else "other")
    )
    return Classification(category, tuple(hit for hit in hits if hit != category)[:3], prefix)
