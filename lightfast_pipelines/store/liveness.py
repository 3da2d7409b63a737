"""Shares that fall to zero when a feature is dead although every run succeeds.

Each compares what should exist, counted at its source, with what exists. So a feature that wrote
nothing has a share of zero, not an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from lightfast_pipelines.store.database import Connection

_EXAMPLES = 5

ShareName = Literal[
    "clusters_have_a_summary", "profiles_count", "closing_words_fix", "deployments_end"
]
SHARES: tuple[ShareName, ...] = get_args(ShareName)

# The smallest healthy share. People abandon some deployments.
THRESHOLDS: dict[ShareName, float] = {
    "clusters_have_a_summary": 0.95,
    "profiles_count": 0.95,
    "closing_words_fix": 0.95,
    "deployments_end": 0.90,
}


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole` rows are as they should be; `examples` shows a few that are not."""

    part: int
    whole: int
    examples: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """0 to 1; None if there is nothing to count."""
        return self.part / self.whole if self.whole else None

    def reaches(self, threshold: float) -> bool:
        """Whether the share is healthy; it is if there is nothing to count."""
        return self.value is None or self.value >= threshold


# Decided clusters of five observations or more that have not changed since `before`.
_CLUSTERS = """
SELECT 'cluster ' || c.id,
       coalesce(c.summary, '') <> '' AND jsonb_array_length(c.summary_citations) > 0
FROM lightfast.clusters c
WHERE c.observation_count >= 5 AND NOT c.is_provisional
  AND NOT EXISTS (SELECT FROM lightfast.cluster_log l
                  WHERE l.cluster_id = c.id AND l.workspace_id = c.workspace_id
                    AND l.at >= %(before)s)
"""

# By identities, so that one without an actor counts too.
_PROFILES = """
SELECT 'identity ' || i.source || ':' || i.id, coalesce(f.observation_count, 0) > 0
FROM (
  SELECT workspace_id, actor_identity_id AS identity_id FROM lightfast.observations
  WHERE captured_at < %(before)s AND actor_identity_id IS NOT NULL
  UNION
  SELECT workspace_id, author_identity_id FROM lightfast.observations
  WHERE captured_at < %(before)s AND author_identity_id IS NOT NULL
) seen
JOIN lightfast.actor_identities i ON i.id = seen.identity_id
LEFT JOIN lightfast.actor_profiles f
  ON f.workspace_id = seen.workspace_id AND f.actor_id = i.actor_id
"""

# A simpler rule than that of `domain/written_relations.py`, and independent of it: without code, quotations and
# comments, a closing word right before a number. The fourth step handles a code fence left open.
_CLOSING = r"""
SELECT 'pull request ' || p.subject_key, EXISTS (
  SELECT FROM lightfast.entities e JOIN lightfast.relationships r ON r.subject_id = e.id
  WHERE e.workspace_id = p.workspace_id AND e.key = p.subject_key AND r.type = 'fixes'
)
FROM (
  SELECT DISTINCT o.workspace_id, o.subject_key
  FROM lightfast.observations o
  CROSS JOIN LATERAL (
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
      o.title || E'\n' || o.content,
      '<!--.*?-->', ' ', 'g'), '```.*?```', ' ', 'g'), '~~~.*?~~~', ' ', 'g'), '```.*', ' '),
      '`[^`\n]*`|^[ \t]*>[^\n]*$', ' ', 'gn') AS said
  ) t
  WHERE o.source = 'github' AND o.source_type LIKE 'pull-request.%%'
    AND o.captured_at < %(before)s AND o.title NOT LIKE '%%Revert "%%'
    AND t.said ~* '(^|[^\w/-])(close[sd]?|fix(e[sd])?|resolve[sd]?)(:[ \t]*|[ \t]+)([\w-]+/[\w.-]+)?#[1-9]\d{0,8}(?!\w)'
) p
"""

# Deployments whose start was captured, a day or more before their workspace's latest event: a history
# may have ended years ago.
_DEPLOYMENTS = """
SELECT 'deployment ' || o.subject_key, EXISTS (
  SELECT FROM lightfast.temporal_states s
  WHERE s.workspace_id = o.workspace_id AND s.entity_id = o.subject_key
    AND s.state_type = 'status' AND s.is_current AND s.superseded_at IS NULL
    AND s.state_value = ANY('{succeeded,failed,canceled,blocked,promoted,rolled_back,inactive}')
)
FROM lightfast.observations o
JOIN (
  SELECT workspace_id, max(occurred_at) - interval '1 day' AS until
  FROM lightfast.observations WHERE captured_at < %(before)s GROUP BY 1
) latest ON latest.workspace_id = o.workspace_id
WHERE o.source_type = 'deployment.created' AND NOT o.is_deleted AND o.captured_at < %(before)s
  AND o.occurred_at < latest.until
"""

_QUERIES: dict[ShareName, str] = {
    "clusters_have_a_summary": _CLUSTERS,
    "profiles_count": _PROFILES,
    "closing_words_fix": _CLOSING,
    "deployments_end": _DEPLOYMENTS,
}


def share(conn: Connection, name: ShareName, *, before: datetime) -> Share:
    """What was captured or decided since `before` is left out, as its stages may not have run yet."""
    row = conn.execute(
        f"""
        SELECT count(*) FILTER (WHERE well), count(*),
               (array_agg(what ORDER BY what) FILTER (WHERE NOT well))[1:{_EXAMPLES}]
        FROM ({_QUERIES[name]}) found (what, well)
        """,
        {"before": before},
    ).fetchone()
    conn.rollback()
    assert row is not None
    return Share(int(row[0]), int(row[1]), tuple(row[2] or ()))
