-- A repository that is linked to a workspace. `$` follows `#` in the order of keys.
CREATE VIEW lightfast.repositories AS
SELECT
  w.slug AS workspace,
  i.workspace_id,
  ('github:repository:' || r.provider_resource_id) COLLATE "C" AS key,
  coalesce(r.resource_name, r.provider_resource_id) AS name,
  r.resource_meta->>'html_url' AS url,
  (SELECT s.state_metadata->>'tag' FROM lightfast.temporal_states s
   WHERE s.workspace_id = i.workspace_id
     AND s.entity_id = 'github:repository:' || r.provider_resource_id
     AND s.state_type = 'latest_release' AND s.is_current) AS latest_release,
  (SELECT count(*)::integer FROM lightfast.temporal_states s
   WHERE s.workspace_id = i.workspace_id AND s.is_current AND s.state_type = 'status'
     AND s.state_value IN ('draft', 'open')
     AND s.entity_id > 'github:pr:' || r.provider_resource_id || '#'
     AND s.entity_id < 'github:pr:' || r.provider_resource_id || '$') AS open_pull_requests,
  (SELECT count(*)::integer FROM lightfast.temporal_states s
   WHERE s.workspace_id = i.workspace_id AND s.is_current AND s.state_type = 'status'
     AND s.state_value IN ('draft', 'open')
     AND s.entity_id > 'github:issue:' || r.provider_resource_id || '#'
     AND s.entity_id < 'github:issue:' || r.provider_resource_id || '$') AS open_issues,
  (SELECT max(f.occurred_at) FROM lightfast.observation_facts f
   WHERE f.workspace_id = i.workspace_id AND f.metadata->>'repoId' = r.provider_resource_id
     AND f.source_type = 'commit.pushed' AND NOT f.is_deleted) AS last_commit_at,
  (SELECT max(l.valid_from) FROM lightfast.temporal_states l
   JOIN lightfast.entities d ON d.workspace_id = l.workspace_id AND d.key = l.state_value
   WHERE l.workspace_id = i.workspace_id AND l.state_type LIKE 'live_deployment:%' AND l.is_current
     AND lightfast.deploys_from(d.id, r.provider_resource_id, '-infinity')) AS last_deployed_at
FROM lightfast.integrations i
JOIN lightfast.resources r ON r.id = i.resource_id AND r.provider = 'github'
LEFT JOIN lightfast.workspaces w ON w.id = i.workspace_id;
