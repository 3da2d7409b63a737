"""Shares that fall to nothing when a feature is dead while every run succeeds.

Each compares what should be there, counted from where it comes from, with what is there; so a
feature that wrote nothing at all is no empty share.
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

# The least that is well. Deployments may be abandoned by those who began them.
THRESHOLDS: dict[ShareName, float] = {
    "clusters_have_a_summary": 0.95,
    "profiles_count": 0.95,
    "closing_words_fix": 0.95,
    "deployments_end": 0.90,
}


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole` are as they should be; `examples` are some that are not."""

    part: int
    whole: int
    examples: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """0 to 1; None where there is nothing to be counted."""
        return self.part / self.whole if self.whole else None

    def reaches(self, threshold: float) -> bool:
        """Nothing to be counted is well."""
        return self.value is None or self.value >= threshold


# Decided clusters, by what consolidation counted in them, that have not changed since `before`.
_CLUSTERS = """
SELECT 'cluster ' || c.id,
       coalesce(c.summary, '') <> '' AND jsonb_array_length(c.summary_citations) > 0
FROM lightfast.clusters c
WHERE c.observation_count >= 5 AND NOT c.is_provisional
  AND NOT EXISTS (SELECT FROM lightfast.cluster_log l
                  WHERE l.cluster_id = c.id AND l.workspace_id = c.workspace_id
                    AND l.at >= %(before)s)
"""

# By identities, so that one whose actor is lost counts as well.
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

# Read more simply than `domain/links.py` does, and apart from it: code, quotations and comments
# out, then a closing word right before a number. The fourth step is for a fence left open.
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

# Those whose beginning was seen and that had a day's time, by their workspace's clock: a history may
# end years ago.
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
    """What was captured or decided from `before` on is left out: its turn may still come."""
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
