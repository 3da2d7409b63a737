-- GitHub's releases. `release_before` reads this view, so its columns of functions are not read there.
CREATE VIEW lightfast.releases AS
SELECT
  w.slug AS workspace,
  e.workspace_id,
  e.key,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = split_part(e.key, ':', 3)
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName'
  ) AS repository,
  coalesce(f.metadata->>'tagName', lightfast.tag_of(e.key)) AS version,
  e.value AS name,
  status.state_value AS status,
  -- A prerelease that is released later keeps its status: its latest event says what it is.
  coalesce((
    SELECT (latest.metadata->>'prerelease')::boolean FROM lightfast.observation_facts latest
    WHERE latest.workspace_id = e.workspace_id AND latest.subject_key = e.key
    ORDER BY latest.occurred_at DESC, latest.source_id DESC LIMIT 1), false) AS is_prerelease,
  e.url,
  CASE WHEN status.state_value = 'published' THEN status.valid_from END AS published_at,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  lightfast.release_commit(e.workspace_id, e.key) AS commit,
  lightfast.release_before(e.workspace_id, e.key) AS previous,
  (SELECT p.metadata->>'tagName'
   FROM lightfast.temporal_states s
   JOIN lightfast.observation_facts p ON p.id = s.related_observation_id
   WHERE s.workspace_id = e.workspace_id AND s.state_type = 'status' AND s.is_current
     AND s.entity_id = lightfast.release_before(e.workspace_id, e.key)) AS previous_version,
  (SELECT count(*) FROM lightfast.commits_of_release(e.workspace_id, e.key))::integer AS commit_count
FROM lightfast.entities e
JOIN lightfast.workspaces w ON w.id = e.workspace_id
LEFT JOIN lightfast.temporal_states existence
  ON existence.workspace_id = e.workspace_id AND existence.entity_id = e.key
  AND existence.state_type = 'existence' AND existence.is_current
LEFT JOIN lightfast.temporal_states status
  ON status.workspace_id = e.workspace_id AND status.entity_id = e.key
  AND status.state_type = 'status' AND status.is_current AND status.entity_type = 'release'
LEFT JOIN lightfast.observation_facts f ON f.id = status.related_observation_id
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
WHERE e.key LIKE 'github:release:%' AND NOT e.is_stub
  AND existence.state_value IS DISTINCT FROM 'deleted';
