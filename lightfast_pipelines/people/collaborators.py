"""Finds who works with whom in a workspace, by what they did together; an @mention does not count.

Reviewed: one reviewed or merged the other's pull request. Co-authored: both are authors of a commit.
Discussed: both took part in a discussion, and at least one of them commented. Assigned: one gave the
other an issue or a pull request. Bots have no collaborators.
"""

from __future__ import annotations

MOST_COLLABORATORS = 10
# More participants than this are a crowd: two of them need not know each other, and the number of pairs
# grows with the square.
MOST_TOGETHER = 20

# (actor_id, collaborators as jsonb, the most frequent first) of everybody who has any. Each pull request,
# commit and discussed thing counts once for a pair. `profile_people` is a temporary table of the
# organisation's identities: (identity_id, actor_id, kind).
COLLABORATORS = f"""
WITH people AS MATERIALIZED (
  SELECT identity_id, actor_id FROM profile_people WHERE kind NOT IN ('bot', 'organization')
),
owners AS MATERIALIZED (
  SELECT o.subject_key AS thing, p.actor_id
  FROM lightfast.observations o JOIN people p ON p.identity_id = o.author_identity_id
  WHERE o.workspace_id = %(workspace)s
    AND o.source_type IN ('pull-request.opened', 'pull-request.merged', 'pull-request.closed',
                          'issue.opened', 'issue.created', 'discussion.created')
  UNION
  SELECT o.subject_key, p.actor_id
  FROM lightfast.observations o
  JOIN lightfast.identity_mentions m ON m.observation_id = o.id AND m.role = 'subject_author'
  JOIN people p ON p.identity_id = m.identity_id
  WHERE o.workspace_id = %(workspace)s
),
talks AS MATERIALIZED (
  SELECT DISTINCT o.subject_key AS thing, p.actor_id,
         o.source_type = 'review.submitted' AS is_review
  FROM lightfast.observations o
  JOIN people p ON p.identity_id = coalesce(o.author_identity_id, o.actor_identity_id)
  WHERE o.workspace_id = %(workspace)s
    AND (o.source_type = 'review.submitted' OR o.source_type LIKE '%%comment.created')
),
writers AS MATERIALIZED (
  SELECT o.id, p.actor_id
  FROM lightfast.observations o
  JOIN lightfast.identity_mentions m ON m.observation_id = o.id
  JOIN people p ON p.identity_id = m.identity_id
  WHERE o.workspace_id = %(workspace)s AND m.role IN ('author', 'co_author')
    AND EXISTS (SELECT FROM lightfast.identity_mentions c
                WHERE c.observation_id = o.id AND c.role = 'co_author')
  GROUP BY 1, 2
),
few AS MATERIALIZED (
  SELECT id FROM writers GROUP BY 1 HAVING count(*) <= {MOST_TOGETHER}
),
takers AS MATERIALIZED (
  SELECT thing, actor_id, bool_or(talked) AS talked
  FROM (
    SELECT thing, actor_id, true AS talked FROM talks WHERE NOT is_review
    UNION ALL
    SELECT o.thing, o.actor_id, false FROM owners o
    WHERE EXISTS (SELECT FROM talks t WHERE t.thing = o.thing AND NOT t.is_review)
  ) each
  GROUP BY 1, 2
),
small AS MATERIALIZED (
  SELECT thing FROM takers GROUP BY 1 HAVING count(*) <= {MOST_TOGETHER}
),
met AS (
  SELECT t.actor_id AS a, o.actor_id AS b, 'reviewed' AS kind, t.thing AS what
  FROM talks t JOIN owners o USING (thing) WHERE t.is_review
  UNION
  SELECT p.actor_id, r.actor_id, 'assigned', o.subject_key
  FROM lightfast.observations o
  JOIN people p ON p.identity_id = o.actor_identity_id
  JOIN lightfast.identity_mentions m ON m.observation_id = o.id AND m.role = 'assignee'
  JOIN people r ON r.identity_id = m.identity_id
  WHERE o.workspace_id = %(workspace)s
    AND o.source_type IN ('issue.assigned', 'pull-request.assigned')
  UNION
  SELECT p.actor_id, o.actor_id, 'reviewed', m.subject_key
  FROM lightfast.observations m
  JOIN people p ON p.identity_id = m.actor_identity_id
  JOIN people o ON o.identity_id = m.author_identity_id
  WHERE m.workspace_id = %(workspace)s AND m.source_type = 'pull-request.merged'
  UNION
  SELECT v.actor_id, w.actor_id, 'co_authored', few.id::text
  FROM few JOIN writers v USING (id) JOIN writers w USING (id)
  WHERE w.actor_id > v.actor_id
  UNION
  SELECT v.actor_id, w.actor_id, 'discussed', v.thing
  FROM small JOIN takers v USING (thing) JOIN takers w USING (thing)
  WHERE w.actor_id > v.actor_id AND (v.talked OR w.talked)
),
pairs AS (
  SELECT DISTINCT a, b, kind, what FROM (
    SELECT a, b, kind, what FROM met UNION ALL SELECT b, a, kind, what FROM met
  ) both_ways WHERE a <> b
),
counted AS (
  SELECT a, b, sum(n) AS interactions, jsonb_object_agg(kind, n) AS kinds
  FROM (SELECT a, b, kind, count(*) AS n FROM pairs GROUP BY 1, 2, 3) each GROUP BY 1, 2
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY a ORDER BY interactions DESC, b) AS place FROM counted
)
SELECT r.a AS actor_id,
       jsonb_agg(jsonb_build_object('actor_id', r.b, 'display_name', n.display_name,
                                    'interactions', r.interactions, 'kinds', r.kinds)
                 ORDER BY r.place) AS collaborators
FROM ranked r JOIN lightfast.actors n ON n.id = r.b
WHERE r.place <= {MOST_COLLABORATORS}
GROUP BY 1
"""
