-- The words of observations, kept by triggers, so that no writer can forget them and search finds an
-- observation as soon as its capture commits.
--
-- A lexeme begins with its workspace's number. So the index holds each workspace's words apart, and the
-- planner's statistics about lexemes are statistics about a workspace's words.

-- `getUserById` -> `get User By Id`, `HTTPError` -> `HTTP Error`, `lib/foo_bar.py` -> `lib foo bar py`.
CREATE FUNCTION lightfast.parts_of_names(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT regexp_replace(
    regexp_replace(
      regexp_replace($1, '([[:lower:][:digit:]])([[:upper:]])', '\1 \2', 'g'),
      '([[:upper:]])([[:upper:]][[:lower:]])', '\1 \2', 'g'),
    '[^[:alnum:]]+', ' ', 'g')
$$;
COMMENT ON FUNCTION lightfast.parts_of_names(text) IS
  'The text with its identifiers and paths taken apart into words.';

-- `getUserById`, `get_user_by_id` -> `getuserbyid`: however it is written.
CREATE FUNCTION lightfast.whole_names(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(left(regexp_replace(m[1], '[^[:alnum:]]', '', 'g'), 100), ' '), '')
  FROM regexp_matches($1,
    '([[:alnum:]]+(?:[-_./:]+[[:alnum:]]+)+'
    '|[[:lower:]][[:alnum:]]*[[:upper:]][[:alnum:]]*'
    '|[[:upper:]][[:lower:][:digit:]]+[[:upper:]][[:alnum:]]*)', 'g') m
$$;
COMMENT ON FUNCTION lightfast.whole_names(text) IS
  'The identifiers and paths of the text, each as one word of letters and digits.';

CREATE FUNCTION lightfast.words_in(written text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_tsvector('pg_catalog.english', lightfast.parts_of_names($1))
      || to_tsvector('pg_catalog.simple', lightfast.whole_names($1))
$$;
COMMENT ON FUNCTION lightfast.words_in(text) IS
  'The words by which search knows a text: stems of its words, and its identifiers as one word each.';

-- A position says how often a word is there, three times at most: ranks rise no further, and phrases are
-- looked for in the text itself.
CREATE FUNCTION lightfast.search_words(
  workspace bigint, title text, content text, marks text[]
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(quote_literal($1 || ':' || lexeme) || places, ' '), '')::tsvector
  FROM (
    SELECT lexeme, ':' || string_agg(place, ',') AS places FROM (
      -- The kind of change that a title begins with (`[PR Opened] `) counts as part of the content.
      SELECT lexeme, '1A' AS place
      FROM unnest(lightfast.words_in(regexp_replace($2, '^\[[^]]{1,40}\] ', '')))
      UNION ALL
      SELECT lexeme, substr('2,3,4', 1, 2 * least(3, cardinality(positions)) - 1)
      FROM unnest(lightfast.words_in(
        coalesce(substring($2 from '^\[[^]]{1,40}\] '), '') || left($3, 4000)))
    ) p GROUP BY lexeme
    UNION ALL
    SELECT '@' || mark, '' FROM unnest($4) mark WHERE mark IS NOT NULL
  ) l
$$;
COMMENT ON FUNCTION lightfast.search_words(bigint, text, text, text[]) IS
  'What observation_words holds of an observation.';

CREATE FUNCTION lightfast.write_observation_words(ids bigint[]) RETURNS void
LANGUAGE sql SET enable_seqscan = off AS $$
  INSERT INTO lightfast.observation_words (observation_id, workspace_id, words)
  SELECT f.id, f.workspace_id, lightfast.search_words(f.workspace_id, f.title, f.content, ARRAY[
    -- The empty mark counts the workspace's observations.
    '', f.source, f.source_type, to_char(f.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM'),
    'by ' || f.author_identity_id,
    CASE WHEN f.actor_identity_id <> f.author_identity_id OR f.author_identity_id IS NULL
         THEN 'by ' || f.actor_identity_id END])
  FROM lightfast.observation_facts f
  WHERE f.id = ANY($1) AND NOT f.is_deleted
  ORDER BY f.id
$$;
COMMENT ON FUNCTION lightfast.write_observation_words(bigint[]) IS
  'Writes the words of these observations, which must have none; deleted ones get none.';

CREATE FUNCTION lightfast.add_observation_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM lightfast.write_observation_words(ARRAY(SELECT id FROM added));
  RETURN NULL;
END
$$;
CREATE TRIGGER words_insert AFTER INSERT ON lightfast.observation_facts
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.add_observation_words();

CREATE FUNCTION lightfast.change_observation_words() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  reworded bigint[] := ARRAY(
    SELECT id FROM (
      SELECT id, title, content, is_deleted, occurred_at, author_identity_id, actor_identity_id FROM changed
      EXCEPT
      SELECT id, title, content, is_deleted, occurred_at, author_identity_id, actor_identity_id FROM before
    ) c);
BEGIN
  IF cardinality(reworded) > 0 THEN
    DELETE FROM lightfast.observation_words WHERE observation_id = ANY(reworded);
    PERFORM lightfast.write_observation_words(reworded);
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER words_update AFTER UPDATE ON lightfast.observation_facts
  REFERENCING OLD TABLE AS before NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.change_observation_words();
