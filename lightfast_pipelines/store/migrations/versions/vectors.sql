-- Notes what changed for those who make vectors of clusters, people and entities, and for the hosted
-- index. Triggers do it, so that no writer can forget it; each adds rows to a queue and locks nothing.
--
-- The functions look rows up by index, whatever the planner thinks of the first call in a session: its plan
-- is kept for all later ones, and reading whole tables would cost more with every year of history.

CREATE FUNCTION lightfast.has_entity_vector(key text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT split_part(key, ':', 1) || ':' || split_part(key, ':', 2) IN (
    'github:pr', 'github:issue', 'github:discussion', 'github:release', 'github:deployment',
    'github:milestone', 'vercel:deployment', 'linear:issue', 'linear:project', 'linear:initiative',
    'linear:release', 'linear:document', 'sentry:issue', 'sentry:release', 'sentry:alert'
  )
$$;
COMMENT ON FUNCTION lightfast.has_entity_vector(text) IS
  'Whether the entity with this key gets a vector: things that have a history worth finding.';

CREATE FUNCTION lightfast.index_id(layer text, key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT layer || '#' || left(encode(sha256(convert_to(key, 'UTF8')), 'hex'), 40)
$$;
COMMENT ON FUNCTION lightfast.index_id(text, text) IS
  'Id of the vector of a cluster, person or entity in the hosted index.';

CREATE FUNCTION lightfast.note_observation_vectors() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  SELECT DISTINCT o.workspace_id, thing.layer, thing.key
  FROM changed c
  JOIN lightfast.observation_facts o ON o.id = c.observation_id
  LEFT JOIN lightfast.cluster_members m ON m.observation_id = o.id
  LEFT JOIN lightfast.actor_identities i ON i.id = o.author_identity_id
  CROSS JOIN LATERAL (
    VALUES
      ('clusters', m.cluster_id),
      ('profiles', i.actor_id),
      ('entities', CASE WHEN lightfast.has_entity_vector(o.subject_key) THEN o.subject_key END)
  ) AS thing (layer, key)
  WHERE c.view = 'title' AND thing.key IS NOT NULL
    -- The vectors of a former model are deleted once there are newer ones: nothing changes then.
    AND (TG_OP <> 'DELETE' OR NOT EXISTS (
      SELECT FROM lightfast.observation_vectors v WHERE v.observation_id = o.id));
  IF NOT EXISTS (SELECT FROM lightfast.hosted_index) THEN
    RETURN NULL;
  END IF;
  INSERT INTO lightfast.index_changes (workspace_id, layer, key)
  SELECT DISTINCT o.workspace_id, 'observations', o.external_id
  FROM changed c JOIN lightfast.observation_facts o ON o.id = c.observation_id
  WHERE TG_OP <> 'DELETE' OR NOT EXISTS (
    SELECT FROM lightfast.observation_vectors v WHERE v.observation_id = o.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON lightfast.observation_vectors
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_observation_vectors();
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.observation_vectors
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_observation_vectors();
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.observation_vectors
  REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_observation_vectors();

CREATE FUNCTION lightfast.note_observations_deleted() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  SELECT DISTINCT c.workspace_id, 'entities', c.subject_key
  FROM changed c JOIN lightfast.workspaces w ON w.id = c.workspace_id
  WHERE lightfast.has_entity_vector(c.subject_key);
  IF EXISTS (SELECT FROM lightfast.hosted_index) THEN
    INSERT INTO lightfast.index_changes (workspace_id, layer, key)
    SELECT c.workspace_id, 'observations', c.external_id
    FROM changed c JOIN lightfast.workspaces w ON w.id = c.workspace_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.observation_facts
  REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_observations_deleted();

CREATE FUNCTION lightfast.note_observation_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF lightfast.has_entity_vector(NEW.subject_key) THEN
    INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
    VALUES (NEW.workspace_id, 'entities', NEW.subject_key);
  END IF;
  IF EXISTS (SELECT FROM lightfast.hosted_index) THEN
    INSERT INTO lightfast.index_changes (workspace_id, layer, key)
    VALUES (NEW.workspace_id, 'observations', NEW.external_id);
  END IF;
  RETURN NULL;
END
$$;
-- For each row, as the condition is then tried before anything is called: few updates meet it.
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.observation_facts
  FOR EACH ROW WHEN (
    (OLD.title, OLD.occurred_at, OLD.source_type, OLD.significance_score, OLD.author_identity_id,
     OLD.actor_identity_id)
    IS DISTINCT FROM
    (NEW.title, NEW.occurred_at, NEW.source_type, NEW.significance_score, NEW.author_identity_id,
     NEW.actor_identity_id)
  ) EXECUTE FUNCTION lightfast.note_observation_changed();

CREATE FUNCTION lightfast.note_cluster_members() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- EXCEPT instead of a join of the two: the plan may be from a call with few rows, a nested loop.
    INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
    SELECT DISTINCT moved.workspace_id, 'clusters', moved.cluster_id
    FROM (
      (SELECT observation_id, workspace_id, cluster_id FROM changed
       EXCEPT SELECT observation_id, workspace_id, cluster_id FROM before)
      UNION ALL
      (SELECT observation_id, workspace_id, cluster_id FROM before
       EXCEPT SELECT observation_id, workspace_id, cluster_id FROM changed)
    ) moved;
    IF EXISTS (SELECT FROM lightfast.hosted_index) THEN
      INSERT INTO lightfast.index_changes (workspace_id, layer, key)
      SELECT o.workspace_id, 'observations', o.external_id
      FROM (
        SELECT observation_id, cluster_id FROM changed
        EXCEPT SELECT observation_id, cluster_id FROM before
      ) moved
      JOIN lightfast.observation_facts o ON o.id = moved.observation_id;
    END IF;
    RETURN NULL;
  END IF;
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  SELECT DISTINCT c.workspace_id, 'clusters', c.cluster_id
  FROM changed c JOIN lightfast.workspaces w ON w.id = c.workspace_id;
  IF TG_OP = 'INSERT' AND EXISTS (SELECT FROM lightfast.hosted_index) THEN
    INSERT INTO lightfast.index_changes (workspace_id, layer, key)
    SELECT o.workspace_id, 'observations', o.external_id
    FROM changed c JOIN lightfast.observation_facts o ON o.id = c.observation_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON lightfast.cluster_members
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_cluster_members();
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.cluster_members
  REFERENCING OLD TABLE AS before NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_cluster_members();
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.cluster_members
  REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_cluster_members();

CREATE FUNCTION lightfast.note_cluster_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  VALUES (NEW.workspace_id, 'clusters', NEW.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.clusters
  FOR EACH ROW WHEN (
    (OLD.topic_label, OLD.summary) IS DISTINCT FROM (NEW.topic_label, NEW.summary)
  ) EXECUTE FUNCTION lightfast.note_cluster_changed();

CREATE FUNCTION lightfast.note_profiles() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  SELECT c.workspace_id, 'profiles', c.actor_id
  FROM changed c JOIN lightfast.workspaces w ON w.id = c.workspace_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON lightfast.actor_profiles
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_profiles();
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.actor_profiles
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_profiles();
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.actor_profiles
  REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_profiles();

CREATE FUNCTION lightfast.note_actor_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lightfast.layer_changes (workspace_id, layer, key)
  SELECT workspace_id, 'profiles', actor_id
  FROM lightfast.actor_profiles WHERE actor_id = NEW.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.actors
  FOR EACH ROW WHEN (
    (OLD.display_name, OLD.kind) IS DISTINCT FROM (NEW.display_name, NEW.kind)
  ) EXECUTE FUNCTION lightfast.note_actor_changed();

CREATE FUNCTION lightfast.note_memory_vectors() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
  IF EXISTS (SELECT FROM lightfast.hosted_index) THEN
    INSERT INTO lightfast.index_changes (workspace_id, layer, key)
    SELECT c.workspace_id, c.layer, c.key
    FROM changed c JOIN lightfast.workspaces w ON w.id = c.workspace_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_insert AFTER INSERT ON lightfast.memory_vectors
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_memory_vectors();
CREATE TRIGGER note_update AFTER UPDATE ON lightfast.memory_vectors
  REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_memory_vectors();
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.memory_vectors
  REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.note_memory_vectors();

-- The namespace is emptied as a whole. The triggers of the cascade, which come later, note nothing about
-- a workspace that is gone.
CREATE FUNCTION lightfast.note_workspace_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM lightfast.layer_changes WHERE workspace_id = OLD.id;
  DELETE FROM lightfast.index_changes WHERE workspace_id = OLD.id;
  UPDATE lightfast.hosted_namespaces SET is_gone = true WHERE workspace_id = OLD.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER note_delete AFTER DELETE ON lightfast.workspaces
  FOR EACH ROW EXECUTE FUNCTION lightfast.note_workspace_deleted();
