-- Issues of GitHub and Linear as work items. Like pull_requests; what can change without the status (team,
-- project, labels) is read from the latest event. An issue that was moved away is left to its new place.
CREATE VIEW lightfast.issues AS
SELECT
  w.slug AS workspace,
  s.workspace_id,
  s.entity_id AS key,
  split_part(s.entity_id, ':', 1) AS provider,
  split_part(e.value, ' ', 1) AS identifier,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = f.metadata->>'repoId'
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName'
  ) AS repository,
  CASE WHEN s.entity_id LIKE 'linear:%' THEN
    lightfast.place_of(s.workspace_id, s.entity_id, 'team') END AS team,
  CASE WHEN s.entity_id LIKE 'linear:%' THEN
    lightfast.place_of(s.workspace_id, s.entity_id, 'project') END AS project,
  regexp_replace(e.value, '^(#|[A-Za-z0-9_]+-)\d+ ', '') AS title,
  e.url,
  s.state_value AS status,
  coalesce(s.state_metadata->>'name', s.state_value) AS status_name,
  s.state_value IN ('open', 'backlog', 'unstarted', 'started') AS is_open,
  (SELECT p.state_value FROM lightfast.temporal_states p
   WHERE p.workspace_id = s.workspace_id AND p.entity_id = s.entity_id AND p.state_type = 'priority'
     AND p.is_current) AS priority,
  lightfast.assignees_of(s.workspace_id, s.entity_id, f.id) AS assignees,
  lightfast.labels_of(s.workspace_id, s.entity_id) AS labels,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  f.written_at AS created_at,
  (SELECT min(t.valid_from) FROM lightfast.temporal_states t
   WHERE t.workspace_id = s.workspace_id AND t.entity_id = s.entity_id AND t.state_type = 'status'
     AND t.state_value = 'started' AND t.superseded_at IS NULL) AS started_at,
  CASE WHEN s.state_value IN ('merged', 'closed', 'completed', 'canceled') THEN s.valid_from END
    AS closed_at,
  closer.display_name AS closed_by,
  closing.actor_id AS closed_by_id,
  CASE WHEN s.state_value IN ('closed', 'completed', 'canceled')
       THEN coalesce(s.state_metadata->>'reason', s.state_metadata->>'type') END AS close_reason,
  f.category,
  ARRAY(
    SELECT p.key FROM (
      SELECT r.subject_id AS id FROM lightfast.relationships r
      WHERE r.object_id = e.id AND r.type = 'fixes'
      UNION
      SELECT r.object_id FROM lightfast.relationships r
      WHERE r.subject_id = e.id AND r.type = 'tracked_in'
      UNION
      SELECT c.subject_id FROM lightfast.relationships r
      JOIN lightfast.relationships c
        ON c.object_id = r.subject_id AND c.type IN ('contains', 'merges_as')
      WHERE r.object_id = e.id AND r.type = 'fixes'
    ) found
    JOIN lightfast.entities p ON p.id = found.id
    WHERE p.category = 'pull_request' AND NOT p.is_stub
    ORDER BY 1
  ) AS pull_requests,
  (SELECT max(o.occurred_at) FROM lightfast.observation_facts o
   WHERE o.workspace_id = s.workspace_id AND o.subject_key = s.entity_id AND NOT o.is_deleted)
    AS last_changed_at
FROM lightfast.temporal_states s
JOIN lightfast.observation_facts f ON f.id = s.related_observation_id
LEFT JOIN lightfast.workspaces w ON w.id = s.workspace_id
LEFT JOIN lightfast.entities e
  ON e.workspace_id = s.workspace_id AND e.key = s.entity_id AND e.category = 'issue'
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
LEFT JOIN lightfast.actor_identities closing
  ON closing.id = CASE WHEN s.state_value IN ('closed', 'completed', 'canceled')
                       THEN s.changed_by_identity_id END
LEFT JOIN lightfast.actors closer ON closer.id = closing.actor_id
WHERE s.is_current AND s.state_type = 'status' AND s.entity_type = 'issue' AND NOT f.is_deleted
  AND f.written_at IS NOT NULL AND s.entity_id NOT LIKE 'sentry:%'
  -- Moving an issue closes it here. One that was closed before keeps that reason, so the move itself counts.
  AND NOT (s.state_value = 'closed' AND EXISTS (
    SELECT FROM lightfast.entities here
    JOIN lightfast.relationships r ON r.subject_id = here.id AND r.type = 'moved_to'
    WHERE here.workspace_id = s.workspace_id AND here.key = s.entity_id
      AND r.last_seen_at >= s.valid_from));
