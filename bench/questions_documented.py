"""What the questions of docs/questions.md are asked about in a grown history.

The page's parameters are those of the demo. Here, times lie as far before the history's last day as they
lie before the demo's, and everything else is chosen from the busiest and the latest of the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bench.questions_page import DocumentedQuestion
from lightfast_pipelines.store.database import Connection

# The day of the demo whose answers the page shows.
_DAY = datetime(2026, 5, 20, tzinfo=UTC)
# What is asked for by words that do not depend on the history.
_AS_WRITTEN = frozenset({"words", "team", "project"})
# Parameter -> where it is found.
_CHOSEN = {
    "repository": """
        SELECT repository FROM changes WHERE workspace = %(workspace)s AND type = 'commit.pushed'
        ORDER BY occurred_at DESC LIMIT 1
    """,
    "person": """
        SELECT a.display_name FROM actor_profiles p JOIN actors a ON a.id = p.actor_id
        WHERE p.workspace_id = workspace_named(%(workspace)s)
        ORDER BY p.observation_count DESC, a.id LIMIT 1
    """,
    "file": """
        SELECT f.path FROM file_changes f
        WHERE f.workspace = %(workspace)s AND f.repository = %(repository)s
        GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
    """,
    "pull_request": """
        SELECT pull_request_number FROM deployments
        WHERE workspace = %(workspace)s AND repository = %(repository)s
          AND pull_request IS NOT NULL AND live_from IS NOT NULL
        ORDER BY created_at DESC LIMIT 1
    """,
    "endpoint": """
        SELECT key FROM entities
        WHERE workspace_id = workspace_named(%(workspace)s) AND category = 'endpoint'
        ORDER BY occurrence_count DESC, key LIMIT 1
    """,
    "issue": """
        SELECT a.alias FROM entity_aliases a JOIN entities e ON e.id = a.entity_id
        WHERE a.workspace_id = workspace_named(%(workspace)s) AND a.alias LIKE 'github:ref:%%#%%'
          AND e.category = 'issue' AND NOT e.is_stub
        ORDER BY e.first_seen_at DESC, a.alias LIMIT 1
    """,
    "alert": """
        SELECT name FROM incidents WHERE workspace = %(workspace)s AND kind = 'event'
        ORDER BY started_at DESC, key LIMIT 1
    """,
    "error": """
        SELECT key FROM errors WHERE workspace = %(workspace)s ORDER BY first_seen_at DESC, key LIMIT 1
    """,
}


def named_in(conn: Connection, slug: str) -> dict[str, str]:
    """The values of all parameters but times and those that are as the page has them."""
    named = {"workspace": slug, "feature": "%the%"}
    for name, query in _CHOSEN.items():
        row = conn.execute(query.encode(), named).fetchone()
        assert row is not None, query
        named[name] = str(row[0])
    named["service"] = named["repository"].partition("/")[2]
    return named


def _moment(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def parameters_of(
    question: DocumentedQuestion, named: Mapping[str, str], latest: datetime
) -> dict[str, Any]:
    """The values with which to ask a question whose history ends at `latest`."""
    later = latest.replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
    return {
        name: value
        if name in _AS_WRITTEN
        else named[name]
        if name in named
        else _moment(value) + later
        for name, value in question.parameters.items()
    }
