-- What was deployed where, by Vercel or through GitHub. All joins are on unique keys. There are few of them, and
-- the rest is looked up in the select list: with six more, planning took a hundred milliseconds.
CREATE VIEW lightfast.deployments AS
SELECT
  w.slug AS workspace,
  e.workspace_id,
  e.key,
  split_part(e.key, ':', 1) AS provider,
  coalesce(
    (SELECT p.value FROM lightfast.entities p
     WHERE p.workspace_id = e.workspace_id AND p.key = 'vercel:project:' || (said.metadata->>'projectId')),
    said.metadata->>'projectName'
  ) AS project,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = said.metadata->>'repoId'
       AND r.org_id = w.org_id),
    said.metadata->>'repoFullName',
    (said.metadata->>'gitOrg') || '/' || (said.metadata->>'gitRepo')
  ) AS repository,
  coalesce(said.metadata->>'environment', status.state_metadata->>'environment') AS environment,
  status.state_value AS status,
  said.metadata->>'gitCommitSha' AS commit,
  commit.key AS commit_key,
  coalesce(said.metadata->>'branch', said.metadata->>'ref') AS branch,
  lightfast.deployed_pull_request(e.id, commit.id) COLLATE "C" AS pull_request,
  substring(lightfast.deployed_pull_request(e.id, commit.id) FROM '#([0-9]{1,9})$')::integer
    AS pull_request_number,
  coalesce(
    lightfast.title_of(e.workspace_id, lightfast.deployed_pull_request(e.id, commit.id)), commit.value
  ) AS title,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  doer.display_name AS actor,
  acting.actor_id,
  e.first_seen_at AS created_at,
  (SELECT min(s.valid_from) FROM lightfast.temporal_states s
   WHERE s.workspace_id = e.workspace_id AND s.entity_id = e.key AND s.state_type = 'status'
     AND s.state_value IN ('succeeded', 'promoted') AND s.superseded_at IS NULL) AS ready_at,
  (SELECT min(s.valid_from) FROM lightfast.temporal_states s
   WHERE s.workspace_id = e.workspace_id AND s.entity_id = e.key AND s.state_type = 'status'
     AND s.state_value = 'failed' AND s.superseded_at IS NULL) AS failed_at,
  EXISTS (
    SELECT FROM lightfast.temporal_states s
    WHERE s.workspace_id = e.workspace_id AND s.state_value = e.key
      AND s.state_type LIKE 'live_deployment:%' AND s.superseded_at IS NULL AND s.is_current
  ) AS is_live,
  -- Not by ORDER BY and LIMIT 1: the planner would look for it in the order of time among all deployments.
  (SELECT (array_agg(s.valid_from ORDER BY s.valid_from DESC))[1] FROM lightfast.temporal_states s
   WHERE s.workspace_id = e.workspace_id AND s.state_value = e.key
     AND s.state_type LIKE 'live_deployment:%' AND s.superseded_at IS NULL
     AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)) AS live_from,
  (SELECT (array_agg(s.valid_to ORDER BY s.valid_from DESC))[1] FROM lightfast.temporal_states s
   WHERE s.workspace_id = e.workspace_id AND s.state_value = e.key
     AND s.state_type LIKE 'live_deployment:%' AND s.superseded_at IS NULL
     AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)) AS live_to,
  coalesce(e.url, said.metadata->>'deploymentUrl') AS url,
  (SELECT f.metadata->>'errorMessage' FROM lightfast.observation_facts f
   WHERE f.workspace_id = e.workspace_id AND f.subject_key = e.key
     AND f.source_type IN ('deployment.error', 'deployment.checks-failed', 'deployment.blocked')
   ORDER BY f.occurred_at DESC, f.source_id DESC LIMIT 1) AS error
FROM lightfast.entities e
JOIN lightfast.workspaces w ON w.id = e.workspace_id
LEFT JOIN lightfast.temporal_states status
  ON status.workspace_id = e.workspace_id AND status.entity_id = e.key
  AND status.state_type = 'status' AND status.is_current AND status.entity_type = 'deployment'
-- Its first event says what it deploys; where that did not arrive, the event of its latest status does. A
-- deployment that a rollback restored got its status by an event of the other one.
LEFT JOIN lightfast.observation_facts said
  ON said.id = coalesce(
    (SELECT created.id FROM lightfast.observation_facts created
     WHERE created.workspace_id = e.workspace_id AND created.source_id = e.key || '|created'),
    CASE WHEN status.change_reason <> 'rollback' OR status.state_value = 'rolled_back'
         THEN status.related_observation_id END)
LEFT JOIN lightfast.entities commit
  ON commit.workspace_id = e.workspace_id
  AND commit.key = 'github:commit:' || lower(said.metadata->>'gitCommitSha')
LEFT JOIN lightfast.observation_facts pushed
  ON pushed.workspace_id = e.workspace_id AND pushed.source_id = commit.key || '|pushed'
LEFT JOIN lightfast.actor_identities writing
  ON writing.id = coalesce(pushed.author_identity_id, said.author_identity_id)
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
LEFT JOIN lightfast.actor_identities acting ON acting.id = said.actor_identity_id
LEFT JOIN lightfast.actors doer ON doer.id = acting.actor_id
WHERE e.category = 'deployment' AND NOT e.is_stub
  AND NOT EXISTS (
    SELECT FROM lightfast.temporal_states s
    WHERE s.workspace_id = e.workspace_id AND s.entity_id = e.key AND s.state_type = 'existence'
      AND s.is_current AND s.state_value = 'deleted');
