-- GitHub's releases in the order of their versions.


CREATE FUNCTION lightfast.version_numbers(tag text) RETURNS numeric[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_to_array(
    coalesce(substring($1 FROM '\d+(?:\.\d+)+'), substring($1 FROM '(\d+)\D*$')), '.')::numeric[]
$$;
COMMENT ON FUNCTION lightfast.version_numbers(text) IS
  'The version that a tag names, for comparison: {1,4,0} of v1.4.0-rc.1; null if it has no number.';

CREATE FUNCTION lightfast.version_line(tag text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rtrim(lower(coalesce(
    substring($1 FROM '^(.*?)v?\d+(?:\.\d+)+'), substring($1 FROM '^(.*?)v?\d+\D*$'), $1)), '@/-_. ')
$$;
COMMENT ON FUNCTION lightfast.version_line(text) IS
  'What a tag says before its version: the name of the package where one repository releases several.';

CREATE FUNCTION lightfast.release_commit(workspace_id bigint, release text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT split_part(found.key, ':', 3) FROM (
    -- Where the tag points at now. Its entity names every commit that it ever pointed at.
    (SELECT commit.key, 1 AS place
     FROM lightfast.observation_facts f
     JOIN lightfast.relationship_sources s ON s.observation_id = f.id AND s.type = 'contains'
     JOIN lightfast.entities commit ON commit.id = s.object_id AND commit.category = 'commit'
     WHERE f.workspace_id = $1 AND f.subject_key = 'github:tag:' || substr($2, length('github:release:') + 1)
       AND f.source_type IN ('tag.created', 'tag.moved') AND NOT f.is_deleted
     ORDER BY f.occurred_at DESC, f.source_id DESC LIMIT 1)
    UNION ALL
    (SELECT commit.key, 2
     FROM lightfast.observation_facts f
     JOIN lightfast.relationship_sources s ON s.observation_id = f.id AND s.type = 'contains'
     JOIN lightfast.entities commit ON commit.id = s.object_id AND commit.category = 'commit'
     WHERE f.workspace_id = $1 AND f.subject_key = $2
     ORDER BY f.occurred_at DESC, f.source_id DESC LIMIT 1)
  ) found ORDER BY found.place LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.release_commit(bigint, text) IS
  'Id of the commit that a release (a key) was made of: its tag''s, else the one that the release names; null if neither is known.';

CREATE VIEW lightfast.published_releases AS
SELECT
  e.workspace_id,
  e.id AS entity_id,
  e.key,
  -- Two releases of one repository have keys with the same beginning.
  left(e.key, length('github:release:') + length(split_part(e.key, ':', 3)) + 1) AS prefix,
  coalesce(f.metadata->>'tagName', substr(e.key, length('github:release:') + length(split_part(e.key, ':', 3)) + 2))
    AS version,
  CASE WHEN status.state_value = 'published' THEN status.valid_from END AS published_at,
  status.state_value AS status,
  -- A prerelease that is released later keeps its status: its latest event says what it is.
  coalesce((
    SELECT (latest.metadata->>'prerelease')::boolean FROM lightfast.observation_facts latest
    WHERE latest.workspace_id = e.workspace_id AND latest.subject_key = e.key
    ORDER BY latest.occurred_at DESC, latest.source_id DESC LIMIT 1), false) AS is_prerelease,
  f.id AS observation_id
FROM lightfast.entities e
LEFT JOIN lightfast.temporal_states existence
  ON existence.workspace_id = e.workspace_id AND existence.entity_id = e.key
  AND existence.state_type = 'existence' AND existence.is_current
LEFT JOIN lightfast.temporal_states status
  ON status.workspace_id = e.workspace_id AND status.entity_id = e.key
  AND status.state_type = 'status' AND status.is_current
LEFT JOIN lightfast.observation_facts f ON f.id = status.related_observation_id
WHERE e.key >= 'github:release:' AND e.key < 'github:release;' AND e.category = 'release' AND NOT e.is_stub
  AND existence.state_value IS DISTINCT FROM 'deleted';

CREATE FUNCTION lightfast.release_before(workspace_id bigint, release text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT earlier.key
  FROM lightfast.published_releases this
  JOIN lightfast.published_releases earlier
    ON earlier.workspace_id = this.workspace_id
    AND earlier.key >= this.prefix AND earlier.key < rtrim(this.prefix, ':') || ';'
  WHERE this.workspace_id = $1 AND this.key = $2
    AND earlier.published_at < coalesce(this.published_at, 'infinity')
    AND lightfast.version_line(earlier.version) = lightfast.version_line(this.version)
    -- A fix of an older line may be published later than the newer line's release.
    AND (lightfast.version_numbers(earlier.version) <= lightfast.version_numbers(this.version)
         OR lightfast.version_numbers(this.version) IS NULL)
    AND (this.is_prerelease OR NOT earlier.is_prerelease)
  ORDER BY lightfast.version_numbers(earlier.version) DESC NULLS LAST, earlier.published_at DESC
  LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.release_before(bigint, text) IS
  'Key of the release that precedes a release (a key): the highest lower version of the same repository and package published before. A prerelease precedes only prereleases of higher or equal versions.';
