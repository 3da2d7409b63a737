-- Functions that answer what state something was in. Intervals of one state that are believed at the
-- same time do not overlap, so at most one of them holds at a moment.

CREATE FUNCTION lightfast.workspace_named(workspace text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  ids bigint[] := ARRAY(
    SELECT w.id FROM lightfast.workspaces w
    WHERE workspace IN (w.slug, w.org_id || '/' || w.slug) ORDER BY w.org_id);
BEGIN
  IF cardinality(ids) = 1 THEN
    RETURN ids[1];
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = CASE cardinality(ids)
    WHEN 0 THEN format('there is no workspace %L', workspace)
    ELSE format('several organisations have a workspace %L: write organisation/%s', workspace, workspace)
  END;
END
$$;
COMMENT ON FUNCTION lightfast.workspace_named(text) IS
  'The id of the workspace with this slug, or with this organisation/slug.';

CREATE FUNCTION lightfast.states_of(
  workspace_id bigint, key text, at timestamptz, known timestamptz
) RETURNS TABLE (
  entity text, entity_name text, state_type text, state_value text, state_metadata jsonb,
  valid_from timestamptz, valid_to timestamptz, recorded_at timestamptz, changed_by text,
  change_reason text, observation text
)
-- Planning takes eight times as long as answering, so the plan is made once per session.
LANGUAGE sql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan AS $$
  WITH RECURSIVE named AS (
    SELECT e.key FROM lightfast.entities e WHERE e.workspace_id = $1 AND e.key = $2
    UNION
    SELECT e.key FROM lightfast.entity_aliases a JOIN lightfast.entities e ON e.id = a.entity_id
    WHERE a.workspace_id = $1 AND a.alias = $2
  ),
  -- Each step finds the next state type in the index: an entity has few types and may have many intervals.
  types AS (
    SELECT n.key, (
      SELECT t.state_type FROM lightfast.temporal_states t
      WHERE t.workspace_id = $1 AND t.entity_id = n.key ORDER BY t.state_type LIMIT 1) AS state_type
    FROM named n
    UNION ALL
    SELECT p.key, (
      SELECT t.state_type FROM lightfast.temporal_states t
      WHERE t.workspace_id = $1 AND t.entity_id = p.key AND t.state_type > p.state_type
      ORDER BY t.state_type LIMIT 1)
    FROM types p WHERE p.state_type IS NOT NULL
  )
  SELECT p.key, s.entity_name, s.state_type, s.state_value, s.state_metadata, s.valid_from, s.valid_to,
         s.recorded_at, coalesce(i.source_username, i.source_name, i.source_id), s.change_reason,
         o.external_id
  FROM types p
  CROSS JOIN LATERAL (
    -- The last interval that began by then holds, unless it has ended: then none does.
    SELECT * FROM (
      SELECT t.* FROM lightfast.temporal_states t
      WHERE $3 <= $4 AND t.workspace_id = $1 AND t.entity_id = p.key AND t.state_type = p.state_type
        AND t.valid_from <= $3 AND (t.valid_to IS NULL OR t.valid_to > t.valid_from)
        AND t.recorded_at <= $4 AND (t.superseded_at IS NULL OR t.superseded_at > $4)
      ORDER BY t.valid_from DESC LIMIT 1
    ) latest WHERE latest.valid_to IS NULL OR latest.valid_to > $3
    UNION ALL
    -- A moment after `known`: what was recorded last is nearer to it than all that came to be known later.
    (SELECT t.* FROM lightfast.temporal_states t
     WHERE $3 > $4 AND t.workspace_id = $1 AND t.entity_id = p.key AND t.state_type = p.state_type
       AND t.valid_from <= $3 AND (t.valid_to IS NULL OR t.valid_to > $3)
       AND t.recorded_at <= $4 AND (t.superseded_at IS NULL OR t.superseded_at > $4)
     ORDER BY t.recorded_at DESC LIMIT 1)
  ) s
  LEFT JOIN lightfast.actor_identities i ON i.id = s.changed_by_identity_id
  LEFT JOIN lightfast.observations o ON o.id = s.related_observation_id
  ORDER BY p.key, s.state_type
$$;
COMMENT ON FUNCTION lightfast.states_of(bigint, text, timestamptz, timestamptz) IS
  'As states_as_known, for a workspace by its id.';

CREATE FUNCTION lightfast.states_as_known(
  workspace text, key text, at timestamptz, known timestamptz
) RETURNS TABLE (
  entity text, entity_name text, state_type text, state_value text, state_metadata jsonb,
  valid_from timestamptz, valid_to timestamptz, recorded_at timestamptz, changed_by text,
  change_reason text, observation text
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT * FROM lightfast.states_of(lightfast.workspace_named($1), $2, $3, $4)
$$;
COMMENT ON FUNCTION lightfast.states_as_known(text, text, timestamptz, timestamptz) IS
  'The states that an entity (by key or alias) had at `at`, as it was known at `known`: one row per state type. The workspace is a slug, or organisation/slug.';

CREATE FUNCTION lightfast.state_at(workspace text, key text, at timestamptz) RETURNS TABLE (
  entity text, entity_name text, state_type text, state_value text, state_metadata jsonb,
  valid_from timestamptz, valid_to timestamptz, recorded_at timestamptz, changed_by text,
  change_reason text, observation text
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT * FROM lightfast.states_of(lightfast.workspace_named($1), $2, $3, 'infinity')
$$;
COMMENT ON FUNCTION lightfast.state_at(text, text, timestamptz) IS
  'The states that an entity (by key or alias) had at `at`, as known now: one row per state type. The workspace is a slug, or organisation/slug.';
