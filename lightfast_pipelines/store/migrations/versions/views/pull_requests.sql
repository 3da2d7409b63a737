-- A pull request as it is now. Its row starts from its current status and the event of its own that began
-- it (opened, merged, ...), which both have indexes by time. What has no unique key is looked up only where
-- it is read.
CREATE VIEW lightfast.pull_requests AS
SELECT
  w.slug AS workspace,
  s.workspace_id,
  s.entity_id AS key,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = f.metadata->>'repoId'
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName'
  ) AS repository,
  substring(s.entity_id FROM '#(\d{1,9})$')::integer AS number,
  regexp_replace(e.value, '^#\d+ ', '') AS title,
  e.url,
  s.state_value AS status,
  s.state_value IN ('draft', 'open') AS is_open,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  f.written_at AS created_at,
  (SELECT min(o.occurred_at) FROM lightfast.observation_facts o
   WHERE o.workspace_id = s.workspace_id AND o.subject_key = s.entity_id
     AND o.source_type = 'review.submitted' AND NOT o.is_deleted
     AND o.author_identity_id IS DISTINCT FROM f.author_identity_id) AS first_review_at,
  CASE WHEN s.state_value = 'merged' THEN s.valid_from END AS merged_at,
  merger.display_name AS merged_by,
  merging.actor_id AS merged_by_id,
  CASE WHEN s.state_value IN ('merged', 'closed', 'completed', 'canceled') THEN s.valid_from END
    AS closed_at,
  (SELECT substr(c.key, 15) FROM lightfast.relationships r
   JOIN lightfast.entities c ON c.id = r.object_id
   WHERE r.subject_id = e.id AND r.type = 'merges_as' AND c.category = 'commit'
   ORDER BY r.confidence DESC, r.last_seen_at DESC, c.key LIMIT 1) AS merge_commit,
  f.metadata->>'headRef' AS branch,
  f.category,
  (SELECT count(*)::integer FROM lightfast.relationships r
   JOIN lightfast.entities c ON c.id = r.object_id
   WHERE r.subject_id = e.id AND r.type = 'contains' AND c.category = 'commit') AS commit_count,
  ARRAY(
    SELECT DISTINCT substr(m.stated_key, 6)
    FROM lightfast.relationships r
    JOIN lightfast.entities c ON c.id = r.object_id
    JOIN lightfast.observation_facts o
      ON o.workspace_id = s.workspace_id AND o.subject_key = c.key
      AND o.source_type = 'commit.pushed' AND NOT o.is_deleted
    JOIN lightfast.observation_entities m ON m.observation_id = o.id AND m.role = 'file'
    WHERE r.subject_id = e.id AND r.type IN ('contains', 'merges_as')
    ORDER BY 1
  ) AS files,
  ARRAY(
    SELECT DISTINCT a.display_name
    FROM lightfast.observation_facts o
    JOIN lightfast.actor_identities i ON i.id = o.author_identity_id
    JOIN lightfast.actors a ON a.id = i.actor_id
    WHERE o.workspace_id = s.workspace_id AND o.subject_key = s.entity_id
      AND o.source_type = 'review.submitted' AND NOT o.is_deleted
      AND o.author_identity_id IS DISTINCT FROM f.author_identity_id
    ORDER BY 1
  ) AS reviewers,
  lightfast.labels_of(s.workspace_id, s.entity_id) AS labels,
  ARRAY(
    SELECT i.key FROM (
      SELECT r.object_id AS id FROM lightfast.relationships r
      WHERE r.subject_id = e.id AND r.type = 'fixes'
      UNION
      SELECT r.subject_id FROM lightfast.relationships r
      WHERE r.object_id = e.id AND r.type = 'tracked_in'
      UNION
      SELECT r.object_id FROM lightfast.relationships c
      JOIN lightfast.relationships r ON r.subject_id = c.object_id AND r.type = 'fixes'
      WHERE c.subject_id = e.id AND c.type IN ('contains', 'merges_as')
    ) found
    JOIN lightfast.entities i ON i.id = found.id
    WHERE i.category = 'issue' AND NOT i.is_stub AND i.key NOT LIKE 'sentry:%'
      AND NOT EXISTS (
        SELECT FROM lightfast.temporal_states x
        WHERE x.workspace_id = s.workspace_id AND x.entity_id = i.key AND x.state_type = 'existence'
          AND x.is_current AND x.state_value = 'deleted')
    ORDER BY 1
  ) AS issues,
  CASE WHEN s.state_value = 'merged' THEN
    lightfast.first_live(s.workspace_id, e.id, s.valid_from, f.metadata->>'repoId') END AS deployed_at,
  (SELECT max(o.occurred_at) FROM lightfast.observation_facts o
   WHERE o.workspace_id = s.workspace_id AND o.subject_key = s.entity_id AND NOT o.is_deleted)
    AS last_changed_at
FROM lightfast.temporal_states s
JOIN lightfast.observation_facts f ON f.id = s.related_observation_id
LEFT JOIN lightfast.workspaces w ON w.id = s.workspace_id
LEFT JOIN lightfast.entities e ON e.workspace_id = s.workspace_id AND e.key = s.entity_id
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
LEFT JOIN lightfast.actor_identities merging
  ON merging.id = CASE WHEN s.state_value = 'merged' THEN s.changed_by_identity_id END
LEFT JOIN lightfast.actors merger ON merger.id = merging.actor_id
WHERE s.is_current AND s.state_type = 'status' AND s.entity_type = 'pull_request' AND NOT f.is_deleted
  AND f.written_at IS NOT NULL;
