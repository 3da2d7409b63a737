-- What pull_requests, issues and repositories look up for the rows that are shown. Each reads a bounded
-- number of rows: those about one thing, or the next two hundred changes of what is live.

CREATE FUNCTION lightfast.labels_of(workspace_id bigint, key text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- The latest event that lists all labels, and the labels added and removed since.
  WITH own AS (
    SELECT o.occurred_at AS at, o.source_id, o.metadata,
           substring(o.source_type FROM '\.(labeled|unlabeled)$') AS change
    FROM lightfast.observation_facts o
    WHERE o.workspace_id = $1 AND o.subject_key = $2 AND NOT o.is_deleted
  ), listed AS (
    SELECT at, metadata->'labels' AS labels FROM own
    WHERE jsonb_typeof(metadata->'labels') = 'array'
    ORDER BY at DESC, source_id DESC LIMIT 1
  ), since AS (
    SELECT DISTINCT ON (metadata->>'label') metadata->>'label' AS label, change
    FROM own
    WHERE change IS NOT NULL AND NOT EXISTS (
      SELECT FROM listed l WHERE own.at < l.at OR own.at = l.at AND change = 'unlabeled')
    ORDER BY metadata->>'label', at DESC, source_id DESC
  )
  SELECT ARRAY(
    SELECT label FROM listed, jsonb_array_elements_text(listed.labels) AS label
    WHERE label NOT IN (SELECT label FROM since WHERE change = 'unlabeled')
    UNION
    SELECT label FROM since WHERE change = 'labeled'
    ORDER BY 1)
$$;
COMMENT ON FUNCTION lightfast.labels_of(bigint, text) IS
  'The labels that a pull request or an issue has now, sorted.';

CREATE FUNCTION lightfast.assignees_of(workspace_id bigint, key text, observation_id bigint)
RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- Who the state names; before any assignment is known, who the thing's own event names.
  WITH state AS (
    SELECT s.state_value, s.state_metadata FROM lightfast.temporal_states s
    WHERE s.workspace_id = $1 AND s.entity_id = $2 AND s.state_type = 'assignee' AND s.is_current
  ), people AS (
    SELECT coalesce(a.display_name, i.source_name, i.source_username) AS name
    FROM state
    CROSS JOIN LATERAL unnest(string_to_array(state.state_value, ', ')) AS account
    JOIN lightfast.workspaces w ON w.id = $1
    JOIN lightfast.actor_identities i
      ON i.org_id = w.org_id AND i.source = split_part(account, ':', 2)
      AND i.source_id = substr(account, length('user:' || split_part(account, ':', 2)) + 2)
    LEFT JOIN lightfast.actors a ON a.id = i.actor_id
    UNION
    SELECT coalesce(a.display_name, i.source_name, i.source_username)
    FROM lightfast.identity_mentions m
    JOIN lightfast.actor_identities i ON i.id = m.identity_id
    LEFT JOIN lightfast.actors a ON a.id = i.actor_id
    WHERE m.observation_id = $3 AND m.role = 'assignee' AND NOT EXISTS (SELECT FROM state)
  )
  SELECT ARRAY(SELECT name FROM people WHERE name IS NOT NULL ORDER BY 1)
$$;
COMMENT ON FUNCTION lightfast.assignees_of(bigint, text, bigint) IS
  'Who is to do an issue now, sorted; `observation_id` is an event of its own.';

CREATE FUNCTION lightfast.place_of(workspace_id bigint, key text, kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    (SELECT e.value FROM lightfast.entities e
     WHERE e.workspace_id = $1 AND e.key = 'linear:' || $3 || ':' || (o.metadata->>($3 || 'Id'))),
    o.metadata->>($3 || 'Name'))
  FROM lightfast.observation_facts o
  WHERE o.workspace_id = $1 AND o.subject_key = $2 AND o.source_type LIKE 'issue.%'
    AND NOT o.is_deleted
  ORDER BY o.occurred_at DESC, o.source_id DESC LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.place_of(bigint, text, text) IS
  'The `team` or `project` that a Linear issue is in now.';

CREATE FUNCTION lightfast.deploys_from(deployment_id bigint, repository_id text, since timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM lightfast.relationships r
    JOIN lightfast.entities c ON c.id = r.object_id
    JOIN lightfast.observation_facts o
      ON o.workspace_id = c.workspace_id AND o.source_id = c.key || '|pushed'
    WHERE r.subject_id = $1 AND r.type = 'deploys' AND o.metadata->>'repoId' = $2
      AND o.occurred_at >= $3)
$$;
COMMENT ON FUNCTION lightfast.deploys_from(bigint, text, timestamptz) IS
  'Whether a deployment (entities.id) deploys a commit of the repository that was made at `since` or later.';

CREATE FUNCTION lightfast.first_live(
  workspace_id bigint, pull_request_id bigint, merged_at timestamptz, repository_id text
) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- Each project by itself: the changes of others would come between, more with every project.
  SELECT min(served.valid_from)
  FROM lightfast.temporal_states place
  CROSS JOIN LATERAL (
    SELECT s.state_value FROM lightfast.temporal_states s
    WHERE s.workspace_id = $1 AND s.entity_id = place.entity_id
      AND s.state_type = 'live_deployment:production' AND s.superseded_at IS NULL
      AND s.valid_from >= $3 AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)
      AND s.state_value <> 'none'
    ORDER BY s.valid_from LIMIT 1
  ) next
  CROSS JOIN LATERAL (
    SELECT l.valid_from
    FROM (
      SELECT s.valid_from, s.state_value FROM lightfast.temporal_states s
      WHERE s.workspace_id = $1 AND s.entity_id = place.entity_id
        AND s.state_type = 'live_deployment:production' AND s.superseded_at IS NULL
        AND s.valid_from >= $3 AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)
      ORDER BY s.valid_from LIMIT 200
    ) l
    JOIN lightfast.entities d ON d.workspace_id = $1 AND d.key = l.state_value
    WHERE EXISTS (
      SELECT FROM lightfast.relationships r
      JOIN lightfast.relationships p ON p.object_id = r.object_id
      WHERE r.subject_id = d.id AND r.type = 'deploys' AND p.subject_id = $2
        AND p.type IN ('contains', 'merges_as')
    ) OR lightfast.deploys_from(d.id, $4, $3)
    ORDER BY l.valid_from LIMIT 1
  ) served
  WHERE place.workspace_id = $1 AND place.state_type = 'live_deployment:production'
    -- The planner does not see that this follows; an index asks for it.
    AND place.state_type LIKE 'live_deployment:%' AND place.is_current
    -- Not a project that serves another repository.
    AND (place.entity_id = 'github:repository:' || $4 OR NOT EXISTS (
      SELECT FROM lightfast.entities d
      JOIN lightfast.relationships r ON r.subject_id = d.id AND r.type = 'deploys'
      JOIN lightfast.entities c ON c.id = r.object_id
      JOIN lightfast.observation_facts o
        ON o.workspace_id = c.workspace_id AND o.source_id = c.key || '|pushed'
      WHERE d.workspace_id = $1 AND d.key = next.state_value AND o.metadata->>'repoId' <> $4))
$$;
COMMENT ON FUNCTION lightfast.first_live(bigint, bigint, timestamptz, text) IS
  'When production first served a merged pull request (entities.id): its commits, or a later one of its repository.';
