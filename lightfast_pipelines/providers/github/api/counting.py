"""Counts what changed in a repository since a moment, with one search: for estimates."""

from __future__ import annotations

from lightfast_pipelines.providers.api_contract import Answer, Call, LinkedResource, Window
from lightfast_pipelines.providers.fields import child, whole
from lightfast_pipelines.providers.github.api.place import owner_and_name

POINTS = "rateLimit { cost remaining limit resetAt }"
_COUNT = """
query($search: String!) {
  search(query: $search, type: %s, first: 1) { %s }
  %s
}
"""
DISCUSSIONS = "discussions"


def count_call(place: LinkedResource, window: Window, what: str) -> Call:
    """`what` is `is:pr`, empty for issues and pull requests together, or `DISCUSSIONS`."""
    owner, name = owner_and_name(place)
    since = window.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    kind, field = ("DISCUSSION", "discussionCount")
    words = [f"repo:{owner}/{name}"]
    if what != DISCUSSIONS:
        kind, field = ("ISSUE", "issueCount")
        words += [what] if what else []
    variables = {"search": " ".join([*words, f"updated:>={since}"])}
    query = {"query": _COUNT % (kind, field, POINTS), "variables": variables}
    return Call("graphql", "POST", json=query, pool="graphql")


def count_in(answer: Answer) -> int:
    """Raises ValueError: then there is no estimate, but the backfill can still run."""
    data = child(answer.data, "data") if isinstance(answer.data, dict) else {}
    search = child(data, "search")
    count = whole(search, "issueCount")
    count = whole(search, "discussionCount") if count is None else count
    if count is None:
        raise ValueError("GitHub did not count what it was asked for")
    return count
