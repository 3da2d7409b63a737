-- How a deployment or an error leads to the change behind it. The analysts' views call these functions only for
-- the columns that a query reads.

CREATE FUNCTION lightfast.pull_request_of(commit bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT pull.key
  FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.subject_id
  WHERE r.object_id = $1 AND r.type IN ('merges_as', 'contains')
    AND pull.category = 'pull_request' AND NOT pull.is_stub
  ORDER BY r.type DESC, pull.first_seen_at, pull.key LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.pull_request_of(bigint) IS
  'Key of the pull request that a commit (entities.id) is the merge of, else of the first that contains it.';

CREATE FUNCTION lightfast.deployed_pull_request(deployment bigint, commit bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    (SELECT pull.key
     FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.subject_id
     WHERE r.object_id = $2 AND r.type = 'merges_as' AND pull.category = 'pull_request'
       AND NOT pull.is_stub
     ORDER BY pull.first_seen_at, pull.key LIMIT 1),
    -- A preview names the pull request that it is of.
    (SELECT pull.key
     FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.object_id
     WHERE r.subject_id = $1 AND r.type = 'references' AND pull.category = 'pull_request'
       AND NOT pull.is_stub
     ORDER BY pull.first_seen_at, pull.key LIMIT 1),
    -- None is merged as the commit, so this is the first that contains it.
    lightfast.pull_request_of($2))
$$;
COMMENT ON FUNCTION lightfast.deployed_pull_request(bigint, bigint) IS
  'Key of the pull request behind a deployment and its commit (entities.id): merged as the commit, named by the deployment, or containing the commit.';

CREATE FUNCTION lightfast.cause_of(error bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(lightfast.pull_request_of(made.id), made.key, began.key)
  FROM (
    SELECT o.id, o.key
    FROM lightfast.relationships r JOIN lightfast.entities o ON o.id = r.object_id
    WHERE r.subject_id = $1 AND r.type = 'caused_by' AND o.category IN ('release', 'deployment')
    ORDER BY r.confidence DESC, r.first_seen_at, o.key LIMIT 1
  ) began
  LEFT JOIN LATERAL (
    SELECT commit.id, commit.key
    FROM lightfast.relationships r JOIN lightfast.entities commit ON commit.id = r.object_id
    WHERE r.subject_id = began.id AND r.type IN ('contains', 'deploys') AND commit.category = 'commit'
    ORDER BY r.first_seen_at, commit.key LIMIT 1
  ) made ON true
$$;
COMMENT ON FUNCTION lightfast.cause_of(bigint) IS
  'Key of the change that an error (entities.id) began with: the pull request of the release''s or deployment''s commit, else the commit, else the release or deployment.';

CREATE FUNCTION lightfast.fix_of(error bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN s.category = 'commit' THEN coalesce(lightfast.pull_request_of(s.id), s.key) ELSE s.key END
  FROM lightfast.relationships r JOIN lightfast.entities s ON s.id = r.subject_id
  WHERE r.object_id = $1 AND r.type = 'resolves' AND NOT s.is_stub
    AND s.category IN ('pull_request', 'commit', 'release')
  ORDER BY array_position(ARRAY['pull_request', 'commit', 'release'], s.category), r.last_seen_at DESC, s.key
  LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.fix_of(bigint) IS
  'Key of what resolves an error (entities.id): the latest pull request, else commit, else release that says so.';

CREATE FUNCTION lightfast.author_of(workspace_id bigint, key text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT a.display_name
  FROM lightfast.observation_facts f
  JOIN lightfast.actor_identities i ON i.id = f.author_identity_id
  JOIN lightfast.actors a ON a.id = i.actor_id
  WHERE f.workspace_id = $1 AND f.subject_key = $2
  ORDER BY f.occurred_at, f.source_id LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.author_of(bigint, text) IS
  'Whose work a pull request, commit or release is, by its earliest observation.';

CREATE FUNCTION lightfast.done_at(workspace_id bigint, key text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    (SELECT s.valid_from FROM lightfast.temporal_states s
     WHERE s.workspace_id = $1 AND s.entity_id = $2 AND s.state_type = 'status' AND s.is_current
       AND s.state_value IN ('merged', 'published')),
    (SELECT f.occurred_at FROM lightfast.observation_facts f
     WHERE f.workspace_id = $1 AND f.source_id = $2 || '|pushed'))
$$;
COMMENT ON FUNCTION lightfast.done_at(bigint, text) IS
  'When a pull request was merged, a commit made or a release published; null if a pull request is not merged.';

CREATE FUNCTION lightfast.title_of(workspace_id bigint, key text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN e.category IN ('pull_request', 'issue')
              THEN nullif(regexp_replace(e.value, '^#\d+( |$)', ''), '') ELSE e.value END
  FROM lightfast.entities e
  WHERE e.workspace_id = $1 AND e.key = $2
$$;
COMMENT ON FUNCTION lightfast.title_of(bigint, text) IS
  'The title of a thing, without the number that stands before that of a pull request or issue.';

CREATE FUNCTION lightfast.first_error(workspace_id bigint, error text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT f.metadata FROM lightfast.observation_facts f
  WHERE f.workspace_id = $1 AND f.subject_key = $2
    AND f.source_type IN ('error.created', 'error.occurred')
  ORDER BY f.occurred_at, f.source_id LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.first_error(bigint, text) IS
  'What is stored of the first event of an error (a key): its type, level, release.';

CREATE FUNCTION lightfast.error_events(workspace_id bigint, error text) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (
    -- Counted by the hour: those hours whose id begins with the error's key.
    coalesce((
      SELECT sum(c.events) FROM lightfast.occurrence_counts c
      WHERE c.workspace_id = $1
        AND c.hour_id >= $2 || '|error.occurred|' AND c.hour_id < $2 || '|error.occurred}'), 0)
    -- Each with an observation of its own.
    + (SELECT count(DISTINCT o.event_id) FROM lightfast.occurrences o
       WHERE o.workspace_id = $1 AND o.series_key = $2 AND o.is_alone)
  )::integer
$$;
COMMENT ON FUNCTION lightfast.error_events(bigint, text) IS
  'How many events of an error (a key) were captured.';

CREATE FUNCTION lightfast.incident_end(
  workspace_id bigint, alert text, incident text, error text, started_at timestamptz
) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN $4 IS NULL THEN (
    SELECT s.valid_from FROM lightfast.temporal_states s
    WHERE s.workspace_id = $1 AND s.entity_id = $2 AND s.state_type = 'level' AND s.superseded_at IS NULL
      AND s.valid_from >= $5
      -- The next incident ends this one as well, if the end of this one did not arrive.
      AND (s.state_value = 'resolved' OR s.state_metadata->>'incident' <> $3)
    ORDER BY s.valid_from LIMIT 1
  ) ELSE (
    SELECT s.valid_from FROM lightfast.temporal_states s
    WHERE s.workspace_id = $1 AND s.entity_id = $4 AND s.state_type = 'status' AND s.superseded_at IS NULL
      AND s.valid_from > $5 AND s.state_value <> 'unresolved'
    ORDER BY s.valid_from LIMIT 1
  ) END
$$;
COMMENT ON FUNCTION lightfast.incident_end(bigint, text, text, text, timestamptz) IS
  'When an incident that began then was over: of an error, when it was resolved or put aside; of a metric, when its level was right again.';
