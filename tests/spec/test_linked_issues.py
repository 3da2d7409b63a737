"""Which issues a text is linked to (ingestion.md, A6), from the payload to the edges."""

from __future__ import annotations

import pytest

from lightfast_pipelines.domain.enrichment import enrich
from lightfast_pipelines.domain.events import Statement
from lightfast_pipelines.domain.key_categories import is_candidate
from tests.providers.github import payloads as github
from tests.providers.github.readings import statement, statements

LINKED: dict[str, list[str]] = {
    "Fixes #12": ["github:ref:acme/shop#12"],
    "closes #3, #4": ["github:ref:acme/shop#3", "github:ref:acme/shop#4"],
    "resolved LIN-9": ["linear:ref:LIN-9"],
    "fixed #7": ["github:ref:acme/shop#7"],
    "fixes utf-8": [],
    "Fixes owner/repo#5": ["github:ref:owner/repo#5"],
    "fix: #8": ["github:ref:acme/shop#8"],
}


def _fixed(found: Statement) -> list[str]:
    """What is fixed for certain: a candidate becomes an edge only where an issue claims the name."""
    return sorted(
        edge.object.key
        for edge in enrich(found).edges
        if edge.type == "fixes" and not is_candidate(edge.object.key)
    )


@pytest.mark.parametrize("text", LINKED)
def test_a_pull_requests_text_is_linked_to_what_it_closes(text: str) -> None:
    found = statement("pull_request", github.pull_request("opened", 1, body=text))
    assert _fixed(found) == LINKED[text]


@pytest.mark.parametrize("text", LINKED)
def test_a_title_and_a_commits_message_link_alike(text: str) -> None:
    titled = statement("pull_request", github.pull_request("opened", 1, title=text, body=None))
    (commit, *_) = statements("push", github.push([github.commit(text)]))
    assert _fixed(titled) == LINKED[text]
    assert _fixed(commit) == LINKED[text]
