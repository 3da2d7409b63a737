-- Which release follows which, and the commits that came between two: by the parents of commits where these
-- are known, else by time.

CREATE FUNCTION lightfast.version_numbers(tag text) RETURNS numeric[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- ix_entities_releases has this expression, and those of tag_of and version_line.
  SELECT string_to_array(
    coalesce(substring($1 FROM '[0-9]+(?:\.[0-9]+)+'), substring($1 FROM '([0-9]+)[^0-9]*$')), '.')::numeric[]
$$;
COMMENT ON FUNCTION lightfast.version_numbers(text) IS
  'The version that a tag names, for comparison: {1,4,0} of v1.4.0-rc.1; null if it has no number.';

CREATE FUNCTION lightfast.version_line(tag text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rtrim(lower(coalesce(
    substring($1 FROM '^(.*?)v?[0-9]+(?:\.[0-9]+)+'), substring($1 FROM '^(.*?)v?[0-9]+[^0-9]*$'), $1)), '@/-_. ')
$$;
COMMENT ON FUNCTION lightfast.version_line(text) IS
  'What a tag says before its version: the name of the package where one repository releases several.';

CREATE FUNCTION lightfast.tag_of(release text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT substr($1, length('github:release:' || split_part($1, ':', 3)) + 2)
$$;
COMMENT ON FUNCTION lightfast.tag_of(text) IS 'The tag that the key of a release ends with.';

CREATE FUNCTION lightfast.release_commit(workspace_id bigint, release text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT split_part(coalesce(
    -- Where the tag points at now. Its entity names every commit that it ever pointed at.
    (SELECT commit.key
     FROM lightfast.observation_facts f
     JOIN lightfast.relationship_sources s ON s.observation_id = f.id AND s.type = 'contains'
     JOIN lightfast.entities commit ON commit.id = s.object_id AND commit.category = 'commit'
     WHERE f.workspace_id = $1 AND f.subject_key = 'github:tag:' || substr($2, length('github:release:') + 1)
       AND f.source_type IN ('tag.created', 'tag.moved') AND NOT f.is_deleted
     ORDER BY f.occurred_at DESC, f.source_id DESC LIMIT 1),
    (SELECT commit.key
     FROM lightfast.observation_facts f
     JOIN lightfast.relationship_sources s ON s.observation_id = f.id AND s.type = 'contains'
     JOIN lightfast.entities commit ON commit.id = s.object_id AND commit.category = 'commit'
     WHERE f.workspace_id = $1 AND f.subject_key = $2
     ORDER BY f.occurred_at DESC, f.source_id DESC LIMIT 1)), ':', 3)
$$;
COMMENT ON FUNCTION lightfast.release_commit(bigint, text) IS
  'Id of the commit that a release (a key) was made of: its tag''s, else the one that the release names; null if neither is known.';

CREATE FUNCTION lightfast.release_before(workspace_id bigint, release text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  this record;
  earlier record;
BEGIN
  SELECT r.published_at, r.is_prerelease,
         coalesce(lightfast.version_numbers(r.version), '{Infinity}') AS numbers,
         md5(lightfast.version_line(r.version)) AS line
  INTO this FROM lightfast.releases r WHERE r.workspace_id = $1 AND r.key = $2;
  -- In the order of ix_entities_releases, so that it ends at the first that fits.
  FOR earlier IN
    SELECT e.key
    FROM lightfast.entities e
    JOIN lightfast.temporal_states s
      ON s.workspace_id = e.workspace_id AND s.entity_id = e.key AND s.state_type = 'status' AND s.is_current
    WHERE e.workspace_id = $1 AND split_part(e.key, ':', 3) = split_part($2, ':', 3)
      AND e.key >= 'github:release:' AND e.key < 'github:release;'
      AND s.state_value = 'published' AND s.valid_from < coalesce(this.published_at, 'infinity')
      -- A fix of an older line may be published later than the newer line's release.
      AND lightfast.version_numbers(lightfast.tag_of(e.key)) <= this.numbers
      AND md5(lightfast.version_line(lightfast.tag_of(e.key))) = this.line
    ORDER BY lightfast.version_numbers(lightfast.tag_of(e.key)) DESC NULLS LAST, s.valid_from DESC
  LOOP
    IF this.is_prerelease OR EXISTS (
      SELECT FROM lightfast.releases r
      WHERE r.workspace_id = $1 AND r.key = earlier.key AND NOT r.is_prerelease) THEN
      RETURN earlier.key;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION lightfast.release_before(bigint, text) IS
  'Key of the release that precedes a release (a key): of the same repository and package, the highest version that is not higher and was published before. A prerelease precedes only prereleases.';

CREATE FUNCTION lightfast.tagged_at(workspace_id bigint, release text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    (SELECT f.occurred_at FROM lightfast.observation_facts f
     WHERE f.workspace_id = $1 AND f.subject_key = 'github:tag:' || substr($2, length('github:release:') + 1)
       AND f.source_type IN ('tag.created', 'tag.moved') AND NOT f.is_deleted
     ORDER BY f.occurred_at DESC LIMIT 1),
    (SELECT s.valid_from FROM lightfast.temporal_states s
     WHERE s.workspace_id = $1 AND s.entity_id = $2 AND s.state_type = 'status' AND s.is_current
       AND s.state_value = 'published'))
$$;
COMMENT ON FUNCTION lightfast.tagged_at(bigint, text) IS
  'When the tag of a release (a key) was made or last moved; when the release was published where that is not known.';

CREATE FUNCTION lightfast.ancestors_step(
  workspace_id bigint, commit text
) RETURNS TABLE (parent text, is_covered boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH own AS (
    SELECT p.parent, p.kind, p.position FROM lightfast.commit_parents p
    WHERE p.workspace_id = $1 AND p.commit = $2
  )
  SELECT own.parent, false FROM own WHERE own.kind = 'parent'
  UNION ALL
  SELECT own.parent, own.position > 0 FROM own
  WHERE own.kind = 'push' AND NOT EXISTS (SELECT FROM own WHERE own.kind = 'parent')
  UNION ALL
  -- In the middle of a push: what that push lists before it, and what the branch held before.
  SELECT p.parent, p.position > 0
  FROM (
    SELECT q.observation_id, q.position FROM lightfast.commit_parents q
    WHERE q.workspace_id = $1 AND q.parent = $2 AND q.kind = 'push' AND q.position > 0
    ORDER BY q.position, q.commit LIMIT 1
  ) pushed
  JOIN lightfast.commit_parents p
    ON p.observation_id = pushed.observation_id AND p.kind = 'push' AND p.position < pushed.position
  WHERE NOT EXISTS (SELECT FROM own)
$$;
COMMENT ON FUNCTION lightfast.ancestors_step(bigint, text) IS
  'Nearest known ancestors of a commit (an id); null for the first commit of a history, no row where nothing is known. The ancestors of one that is covered are among the others.';

CREATE FUNCTION lightfast.commits_between(workspace_id bigint, newer text, older text) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  most integer;
  commits text[];
  is_whole boolean;
  more_may_help boolean;
BEGIN
  -- A branch that began long before the older commit leads into its past: then more of that is needed.
  FOREACH most IN ARRAY ARRAY[250, 1000, 4000, 16000] LOOP
    WITH RECURSIVE past AS (
      SELECT $3 AS id, false AS is_covered WHERE $3 IS NOT NULL
      UNION
      SELECT step.parent, step.is_covered
      FROM past CROSS JOIN LATERAL lightfast.ancestors_step($1, past.id) step
      WHERE NOT past.is_covered AND step.parent IS NOT NULL
    ), excluded AS MATERIALIZED (
      SELECT past.id FROM past LIMIT most
    ), walk AS (
      SELECT $2 AS id, false AS is_covered, true AS is_known WHERE $2 NOT IN (SELECT e.id FROM excluded e)
      UNION
      SELECT step.parent, coalesce(step.is_covered, true), step.is_covered IS NOT NULL
      FROM walk LEFT JOIN LATERAL lightfast.ancestors_step($1, walk.id) step ON true
      WHERE walk.id IS NOT NULL AND NOT walk.is_covered
        AND (step.parent IS NULL OR step.parent NOT IN (SELECT e.id FROM excluded e))
    ), found AS MATERIALIZED (
      SELECT * FROM walk LIMIT most + 1
    ), ends AS (
      SELECT count(*) > most AS is_cut,
             coalesce(bool_or(NOT f.is_known), false) AS is_unknown,
             coalesce(bool_or(f.is_known AND f.id IS NULL), false) AS is_beginning,
             (SELECT count(*) FROM excluded) = most AS is_past_cut,
             array_agg(DISTINCT f.id) FILTER (WHERE f.id IS NOT NULL) AS ids
      FROM found f
    )
    SELECT e.ids,
           NOT (e.is_cut OR e.is_unknown OR (e.is_beginning AND e.is_past_cut)),
           e.is_cut OR e.is_past_cut
    INTO commits, is_whole, more_may_help FROM ends e;
    IF is_whole THEN
      RETURN coalesce(commits, '{}');
    END IF;
    EXIT WHEN NOT more_may_help;
  END LOOP;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION lightfast.commits_between(bigint, text, text) IS
  'Ids of the commits that a commit has among its ancestors, itself included, and an older one (or null) has not; null where parents are not known all the way.';

CREATE FUNCTION lightfast.release_branch(workspace_id bigint, release text, commit text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- The branch that the release names, unless its commit is known to be on another: GitHub writes the
  -- default branch if the tag existed before.
  SELECT coalesce(
    (SELECT other.id
     FROM lightfast.entities made
     JOIN lightfast.relationships r ON r.subject_id = made.id AND r.type = 'on_branch'
     JOIN lightfast.entities other ON other.id = r.object_id
     WHERE made.workspace_id = $1 AND made.key = 'github:commit:' || $3
       AND NOT EXISTS (
         SELECT FROM lightfast.relationships o
         JOIN lightfast.entities release ON release.workspace_id = $1 AND release.key = $2
         JOIN lightfast.relationships t ON t.subject_id = release.id AND t.type = 'on_branch'
         WHERE o.subject_id = made.id AND o.object_id = t.object_id AND o.type = 'on_branch')
     ORDER BY r.first_seen_at DESC, other.key LIMIT 1),
    (SELECT target.id
     FROM lightfast.entities release
     JOIN lightfast.relationships r ON r.subject_id = release.id AND r.type = 'on_branch'
     JOIN lightfast.entities target ON target.id = r.object_id
     LEFT JOIN lightfast.entities made ON made.workspace_id = $1 AND made.key = 'github:commit:' || $3
     WHERE release.workspace_id = $1 AND release.key = $2
     ORDER BY EXISTS (
       SELECT FROM lightfast.relationships o
       WHERE o.subject_id = made.id AND o.object_id = target.id AND o.type = 'on_branch') DESC,
       r.last_seen_at DESC, target.key LIMIT 1))
$$;
COMMENT ON FUNCTION lightfast.release_branch(bigint, text, text) IS
  'The branch (entities.id) that a release (a key) was made on, given the id of its commit or null.';

CREATE FUNCTION lightfast.commits_on_branch(
  workspace_id bigint, branch bigint, after timestamptz, until timestamptz
) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH merged AS MATERIALIZED (
    SELECT pull.id
    FROM lightfast.observation_facts f
    JOIN lightfast.entities pull ON pull.workspace_id = f.workspace_id AND pull.key = f.subject_key
    WHERE f.workspace_id = $1 AND f.source = 'github' AND f.source_type = 'pull-request.merged'
      AND f.occurred_at > $3 AND f.occurred_at <= $4
      -- Of the branch's repository.
      AND starts_with(f.subject_key, 'github:pr:' || split_part(
        (SELECT branch.key FROM lightfast.entities branch WHERE branch.id = $2), ':', 3) || '#')
  ), written AS MATERIALIZED (
    SELECT commit.id, commit.key
    FROM lightfast.observation_facts f
    JOIN lightfast.entities commit ON commit.workspace_id = f.workspace_id AND commit.key = f.subject_key
    WHERE f.workspace_id = $1 AND f.source = 'github' AND f.source_type = 'commit.pushed'
      AND f.occurred_at > $3 AND f.occurred_at <= $4
  )
  -- A commit of a pull request came with its merge, whenever it was written.
  SELECT substr(commit.key, length('github:commit:') + 1)
  FROM merged
  JOIN lightfast.relationships r ON r.subject_id = merged.id AND r.type IN ('contains', 'merges_as')
  JOIN lightfast.entities commit ON commit.id = r.object_id
  JOIN lightfast.relationships o
    ON o.workspace_id = $1 AND o.subject_id = commit.id AND o.object_id = $2 AND o.type = 'on_branch'
  WHERE commit.category = 'commit'
  UNION
  SELECT substr(c.key, length('github:commit:') + 1)
  FROM written c
  -- OFFSET 0: one look-up for each, as a branch has more commits with every year.
  WHERE EXISTS (
    SELECT FROM lightfast.relationships o
    WHERE o.workspace_id = $1 AND o.subject_id = c.id AND o.object_id = $2 AND o.type = 'on_branch'
    OFFSET 0)
  AND NOT EXISTS (
    SELECT FROM lightfast.relationships r
    JOIN lightfast.entities pull ON pull.id = r.subject_id AND pull.category = 'pull_request'
    JOIN lightfast.temporal_states s
      ON s.workspace_id = $1 AND s.entity_id = pull.key AND s.state_type = 'status' AND s.is_current
    WHERE r.object_id = c.id AND r.type IN ('contains', 'merges_as') AND s.state_value = 'merged')
$$;
COMMENT ON FUNCTION lightfast.commits_on_branch(bigint, bigint, timestamptz, timestamptz) IS
  'Ids of the commits that came onto a branch (entities.id) in a time: with a pull request merged then, or written then without one.';

CREATE FUNCTION lightfast.commits_of_release(
  workspace_id bigint, release text
) RETURNS TABLE (commit text, found_by text)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 AS $$
DECLARE
  previous text := lightfast.release_before($1, $2);
  newer text := lightfast.release_commit($1, $2);
  older text := lightfast.release_commit($1, previous);
  branch bigint;
  commits text[];
BEGIN
  IF newer IS NOT NULL AND (previous IS NULL OR older IS NOT NULL) THEN
    commits := lightfast.commits_between($1, newer, older);
  END IF;
  IF commits IS NOT NULL THEN
    RETURN QUERY SELECT unnest(commits), 'parents';
    RETURN;
  END IF;
  branch := lightfast.release_branch($1, $2, newer);
  RETURN QUERY
  SELECT c, 'window' FROM lightfast.commits_on_branch(
    $1, branch, coalesce(lightfast.tagged_at($1, previous), '-infinity'), lightfast.tagged_at($1, $2)) c;
END
$$;
COMMENT ON FUNCTION lightfast.commits_of_release(bigint, text) IS
  'Ids of the commits that a release (a key) has and the release before it has not, and how they were found: parents or window.';
