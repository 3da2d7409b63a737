-- Sentry's issues. The event that created one describes it; where it did not arrive, that of its latest status
-- does, else its first error.
CREATE VIEW lightfast.errors AS
SELECT
  w.slug AS workspace,
  e.workspace_id,
  e.key,
  said.metadata->>'shortId' AS short_id,
  e.value AS title,
  coalesce(said.metadata->>'errorType', lightfast.first_error(e.workspace_id, e.key)->>'errorType')
    AS error_type,
  coalesce(said.metadata->>'culprit', lightfast.first_error(e.workspace_id, e.key)->>'culprit') AS culprit,
  coalesce(project.value, said.metadata->>'projectSlug') AS project,
  coalesce(said.metadata->>'level', lightfast.first_error(e.workspace_id, e.key)->>'level') AS level,
  coalesce(status.state_value, 'unresolved') AS status,
  coalesce(status.state_value, 'unresolved') = 'unresolved' AS is_open,
  coalesce(assignee.display_name, assigned.state_metadata->>'name') AS assignee,
  assigning.actor_id AS assignee_id,
  e.first_seen_at,
  greatest(
    e.first_seen_at,
    (SELECT max(o.at) FROM lightfast.occurrences o
     WHERE o.workspace_id = e.workspace_id AND o.series_key = e.key AND NOT o.is_restart),
    -- Sentry counts errors that it does not send.
    (SELECT max((f.metadata->>'lastSeen')::timestamptz) FROM lightfast.observation_facts f
     WHERE f.workspace_id = e.workspace_id AND f.subject_key = e.key
       AND pg_input_is_valid(f.metadata->>'lastSeen', 'timestamptz'))
  ) AS last_seen_at,
  lightfast.error_events(e.workspace_id, e.key) AS events,
  (SELECT r.value FROM lightfast.relationships c JOIN lightfast.entities r ON r.id = c.object_id
   WHERE c.subject_id = e.id AND c.type = 'caused_by' AND r.category = 'release'
   ORDER BY c.confidence DESC, c.first_seen_at, r.key LIMIT 1) AS first_release,
  ARRAY(
    SELECT DISTINCT found.endpoint COLLATE "C" FROM (
      SELECT f.metadata->'tags'->>'transaction' AS endpoint
      FROM lightfast.observation_facts f
      WHERE f.workspace_id = e.workspace_id AND f.subject_key = e.key AND f.source_type LIKE 'error.%'
      UNION ALL
      SELECT endpoint.value
      FROM lightfast.observation_facts f
      JOIN lightfast.observation_entities m ON m.observation_id = f.id
      JOIN lightfast.entities endpoint ON endpoint.id = m.entity_id AND endpoint.category = 'endpoint'
      WHERE f.workspace_id = e.workspace_id AND f.subject_key = e.key
    ) found WHERE found.endpoint IS NOT NULL ORDER BY 1
  ) AS endpoints,
  lightfast.cause_of(e.id) COLLATE "C" AS caused_by,
  lightfast.fix_of(e.id) COLLATE "C" AS fixed_by,
  e.url
FROM lightfast.entities e
JOIN lightfast.workspaces w ON w.id = e.workspace_id
LEFT JOIN lightfast.temporal_states existence
  ON existence.workspace_id = e.workspace_id AND existence.entity_id = e.key
  AND existence.state_type = 'existence' AND existence.is_current
LEFT JOIN lightfast.temporal_states status
  ON status.workspace_id = e.workspace_id AND status.entity_id = e.key
  AND status.state_type = 'status' AND status.is_current AND status.entity_type = 'issue'
LEFT JOIN lightfast.observation_facts created
  ON created.workspace_id = e.workspace_id AND created.source_id = e.key || '|created'
LEFT JOIN lightfast.observation_facts said ON said.id = coalesce(created.id, status.related_observation_id)
LEFT JOIN lightfast.entities project
  ON project.workspace_id = e.workspace_id
  AND project.key = 'sentry:project:' || split_part(e.key, ':', 3)
LEFT JOIN lightfast.temporal_states assigned
  ON assigned.workspace_id = e.workspace_id AND assigned.entity_id = e.key
  AND assigned.state_type = 'assignee' AND assigned.is_current AND assigned.state_value <> 'nobody'
LEFT JOIN lightfast.actor_identities assigning
  ON assigning.org_id = w.org_id AND assigning.source = 'sentry'
  AND assigning.source_id = substr(assigned.state_value, length('user:sentry:') + 1)
LEFT JOIN lightfast.actors assignee ON assignee.id = assigning.actor_id
WHERE e.key LIKE 'sentry:issue:%' AND NOT e.is_stub
  AND existence.state_value IS DISTINCT FROM 'deleted';
