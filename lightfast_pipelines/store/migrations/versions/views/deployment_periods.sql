-- A deployment that is promoted again after a rollback has several.
CREATE VIEW lightfast.deployment_periods AS
SELECT
  w.slug AS workspace,
  s.workspace_id,
  s.state_value COLLATE "C" AS deployment,
  substr(s.state_type, length('live_deployment:') + 1) AS environment,
  CASE WHEN place.category = 'project' THEN place.value END AS project,
  CASE WHEN place.category = 'repository' THEN coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.org_id = w.org_id
       AND r.provider_resource_id = substr(place.key, length('github:repository:') + 1)),
    place.value) END AS repository,
  s.valid_from AS live_from,
  s.valid_to AS live_to,
  s.is_current AS is_live,
  s.change_reason AS reason
FROM lightfast.temporal_states s
JOIN lightfast.workspaces w ON w.id = s.workspace_id
LEFT JOIN lightfast.entities place ON place.workspace_id = s.workspace_id AND place.key = s.entity_id
WHERE s.state_type LIKE 'live_deployment:%' AND s.superseded_at IS NULL
  AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)
  AND s.state_value <> 'none';
