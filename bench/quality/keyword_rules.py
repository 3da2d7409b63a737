"""Categories by keywords alone: the baselines that the category model is compared with.

`by_pattern` has coarse patterns, such as one keeps for when a language model fails. `by_word` has better
ones, made by hand, the most specific kind of work first. `by_word_and_file` looks at the changed files
before the words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightfast_pipelines.domain.category_features import kind_of_path

_PATTERNS = tuple(
    (category, re.compile(pattern))
    for category, pattern in (
        ("release", r"\brelease\b|version\s*\d|v\d+\.\d+"),
        ("deployment", r"\bdeploy|\bshipp"),
        ("security", r"\bsecurity\b|\bvulnerability\b|cve-\d+|\bauth\b|\bpermission"),
        ("incident", r"\b(incident|outage|downtime|emergency|hotfix)\b"),
        (
            "bug_fix",
            r"\b(fix|fixes|fixed|fixing)\b|\bbug\b|\bpatch\b|\bresolve[sd]?\b|\bcorrect",
        ),
        (
            "feature",
            r"\bfeat(ure)?[:\s]|\b(add|adds|added|adding)\b|\bnew\b|\bimplement|\bintroduce",
        ),
        ("performance", r"\bperf(ormance)?\b|\boptimiz|\bspeed|\bfaster\b|\bslow"),
        ("testing", r"\b(test|tests|testing)\b|\bspec\b|\bcoverage\b|\be2e\b|\bunit\b"),
        ("documentation", r"\bdocs?\b|\breadme\b|\bcomment|\bjsdoc\b|\bdocumentation\b"),
        ("infrastructure", r"\b(ci|cd|pipeline|workflow)\b|\bdocker|\bconfig|\binfra"),
        ("refactor", r"\brefactor|\brestructure|\breorganize|\b(cleanup|chore)\b"),
        ("discussion", r"\b(rfc|proposal)\b|\bdiscuss"),
        ("decision", r"\b(decision|decide[sd]?|adr|architecture)\b"),
    )
)
_WORDS = tuple(
    (category, re.compile(rf"\b(?:{words})\b"))
    for category, words in (
        (
            "bug_fix",
            r"fix(?:es|ed|ing)?|bugs?|crash\w*|errors?|incorrect\w*|wrong\w*|broken|prevent\w*|handle\w*"
            r"|missing|avoid\w*|regression|resolve[sd]?|correct\w*|panic|leaks?|null|fails?|failing"
            r"|failure|ensure",
        ),
        (
            "performance",
            r"perf|performance|optimi[sz]\w*|speed\w*|faster|slow\w*|latency|cach(?:e|ing)",
        ),
        (
            "testing",
            r"tests?|testing|unittests?|coverage|e2e|pytest|fixtures?|mocks?|xfail|flaky",
        ),
        (
            "documentation",
            r"docs?|documentation|document(?:s|ed|ing)?|readme|docstrings?|typos?|changelog|contributing"
            r"|tutorial|guide|wording|spelling|grammar|license",
        ),
        (
            "infrastructure",
            r"ci|cd|bump|deps?|dependenc(?:y|ies)|dependabot|renovate|lock ?file|workflows?|docker\w*"
            r"|build|upgrade|pin|unpin|travis|appveyor|github actions?|makefile|packag(?:e|ing)|release"
            r"|version",
        ),
        (
            "refactor",
            r"refactor\w*|renam\w*|clean\w*|simplif\w*|unused|mov(?:e|ed|ing)|restructur\w*"
            r"|reorgani[sz]\w*|lint\w*|format\w*|style|extract\w*|remov\w*|replac\w*|typing|type hints?",
        ),
        (
            "feature",
            r"add(?:s|ed|ing)?|support\w*|implement\w*|new|allow\w*|introduc\w*|enabl\w*|expos\w*"
            r"|feature|creat\w*",
        ),
    )
)


def by_pattern(title: str, _paths: Sequence[str]) -> str:
    return _first(_PATTERNS, title, "other")


def by_word(title: str, _paths: Sequence[str]) -> str:
    return _first(_WORDS, title, "feature")


def by_word_and_file(title: str, paths: Sequence[str]) -> str:
    kinds = {kind_of_path(path) for path in paths}
    if kinds and kinds <= {"doc", "log"}:
        return "documentation"
    if kinds == {"test"}:
        return "testing"
    if kinds and kinds <= {"ci", "ops", "tool", "dep", "lock"}:
        return "infrastructure"
    return by_word(title, paths)


def _first(rules: Sequence[tuple[str, re.Pattern[str]]], title: str, otherwise: str) -> str:
    text = title.lower()
    return next((category for category, pattern in rules if pattern.search(text)), otherwise)
