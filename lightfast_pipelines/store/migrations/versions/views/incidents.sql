-- A metric alert's incidents, by their numbers at Sentry, and each error that an alert for issues reports, once
-- while the error is open.
CREATE VIEW lightfast.incidents AS
SELECT
  w.slug AS workspace,
  i.workspace_id,
  i.key,
  alert.value AS name,
  i.kind,
  CASE i.kind
    WHEN 'metric' THEN (
      SELECT s.state_value FROM lightfast.temporal_states s
      WHERE s.workspace_id = i.workspace_id AND s.entity_id = i.key AND s.state_type = 'level'
        AND s.superseded_at IS NULL AND s.valid_from >= i.started_at AND s.state_value <> 'resolved'
        AND s.state_metadata->>'incident' IS NOT DISTINCT FROM i.incident
      ORDER BY array_position(ARRAY['critical', 'warning', 'open'], s.state_value) LIMIT 1)
    ELSE coalesce(
      (SELECT f.metadata->>'level' FROM lightfast.observation_facts f
       WHERE f.workspace_id = i.workspace_id AND f.source_id = error.key || '|created'),
      lightfast.first_error(i.workspace_id, error.key)->>'level')
  END AS level,
  i.started_at,
  lightfast.incident_end(i.workspace_id, i.key, i.incident, error.key, i.started_at) AS resolved_at,
  lightfast.incident_end(i.workspace_id, i.key, i.incident, error.key, i.started_at) IS NULL AS is_open,
  error.key AS error,
  error.value AS error_title,
  lightfast.cause_of(error.id) COLLATE "C" AS cause,
  lightfast.title_of(i.workspace_id, lightfast.cause_of(error.id)) AS cause_title,
  CASE WHEN lightfast.cause_of(error.id) LIKE 'github:pr:%' THEN lightfast.cause_of(error.id) COLLATE "C" END
    AS cause_pull_request,
  lightfast.author_of(i.workspace_id, lightfast.cause_of(error.id)) AS cause_author,
  lightfast.fix_of(error.id) COLLATE "C" AS fix,
  lightfast.title_of(i.workspace_id, lightfast.fix_of(error.id)) AS fix_title,
  lightfast.author_of(i.workspace_id, lightfast.fix_of(error.id)) AS fix_author,
  lightfast.done_at(i.workspace_id, lightfast.fix_of(error.id)) AS fixed_at,
  coalesce(i.url, alert.url) AS url
FROM (
  SELECT s.workspace_id, s.entity_id AS key, 'metric' AS kind, s.valid_from AS started_at,
         s.state_metadata->>'incident' AS incident, NULL::bigint AS error_id, NULL::text AS url
  FROM lightfast.temporal_states s
  WHERE s.state_type = 'level' AND s.superseded_at IS NULL AND s.state_value <> 'resolved'
    AND NOT EXISTS (
      SELECT FROM lightfast.temporal_states before
      WHERE before.workspace_id = s.workspace_id AND before.entity_id = s.entity_id
        AND before.state_type = 'level' AND before.superseded_at IS NULL
        AND before.state_value <> 'resolved'
        -- Two levels of one second are one beginning.
        AND (before.valid_from, before.id) < (s.valid_from, s.id)
        AND before.state_metadata->>'incident' = s.state_metadata->>'incident')
  UNION ALL
  SELECT f.workspace_id, f.subject_key, 'event', f.occurred_at, NULL,
         (SELECT r.object_id FROM lightfast.relationship_sources r
          WHERE r.observation_id = f.id AND r.type = 'references' AND r.subject_key = f.subject_key
            AND r.object_key >= 'sentry:issue:' AND r.object_key < 'sentry:issue;'
          ORDER BY r.object_key LIMIT 1),
         f.metadata->>'webUrl'
  FROM lightfast.observation_facts f
  WHERE f.source_type = 'event-alert.triggered' AND NOT f.is_deleted
    AND NOT EXISTS (
      SELECT FROM lightfast.observation_facts before
      WHERE before.workspace_id = f.workspace_id AND before.subject_key = f.subject_key
        AND before.source_type = 'event-alert.triggered' AND NOT before.is_deleted
        AND before.metadata->>'issueId' = f.metadata->>'issueId'
        AND (before.occurred_at, before.source_id) < (f.occurred_at, f.source_id)
        -- It was open all the time between.
        AND NOT EXISTS (
          SELECT FROM lightfast.relationship_sources r
          JOIN lightfast.entities issue ON issue.id = r.object_id
          JOIN lightfast.temporal_states s
            ON s.workspace_id = f.workspace_id AND s.entity_id = issue.key AND s.state_type = 'status'
            AND s.superseded_at IS NULL AND s.state_value <> 'unresolved'
            AND s.valid_from > before.occurred_at AND s.valid_from <= f.occurred_at
          WHERE r.observation_id = f.id AND r.type = 'references'))
) i
JOIN lightfast.workspaces w ON w.id = i.workspace_id
LEFT JOIN lightfast.entities alert ON alert.workspace_id = i.workspace_id AND alert.key = i.key
LEFT JOIN lightfast.entities error ON error.id = i.error_id;
