-- The observations as everybody reads them, and the queues of the stages that come after capture.

-- Both joins are on unique keys, so the planner leaves out those that a query does not need. Comments are
-- in `store/tables/observations.py`.
CREATE VIEW lightfast.observations AS
SELECT
  f.id,
  f.external_id,
  f.workspace_id,
  f.source_id,
  f.source,
  f.source_type,
  f.observation_type,
  f.subject_key,
  f.occurred_at,
  f.captured_at,
  f.recorded_at,
  f.ingestion_source,
  f.actor_identity_id,
  f.author_identity_id,
  f.title,
  f.content,
  f.category,
  f.topics,
  f.significance_score,
  f.significance_factors,
  f."references",
  f.metadata,
  m.cluster_id,
  CASE WHEN q.observation_id IS NULL AND NOT f.is_deleted THEN f.external_id || ':title' END
    AS embedding_title_id,
  CASE WHEN q.observation_id IS NULL AND NOT f.is_deleted THEN f.external_id || ':content' END
    AS embedding_content_id,
  CASE WHEN q.observation_id IS NULL AND NOT f.is_deleted THEN f.external_id || ':summary' END
    AS embedding_summary_id,
  f.rule_version,
  f.series_key,
  f.part_key,
  f.written_at,
  f.is_deleted,
  f.question_hash
FROM lightfast.observation_facts f
LEFT JOIN lightfast.cluster_members m ON m.observation_id = f.id
LEFT JOIN lightfast.embedding_queue q ON q.observation_id = f.id;

-- A row waits in a queue as long as a stage has no result for it. Triggers fill the queues, so that no
-- writer can forget it; a stage takes a row out in the transaction that writes its result.

CREATE FUNCTION lightfast.queue_new_observations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO lightfast.embedding_queue (observation_id, workspace_id)
  SELECT id, workspace_id FROM added WHERE NOT is_deleted;
  INSERT INTO lightfast.cluster_queue (observation_id, workspace_id)
  SELECT id, workspace_id FROM added;
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_insert AFTER INSERT ON lightfast.observation_facts
  REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.queue_new_observations();

-- EXCEPT instead of a join of the two: the plan may be from a call with few rows, a nested loop. The ids
-- are read into an array first, so that everything else is looked up by index.
CREATE FUNCTION lightfast.follow_changed_observations() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  -- A new text, or one that is deleted or restored, has no vector yet.
  retold bigint[] := ARRAY(
    SELECT id FROM (
      SELECT id, title, content, is_deleted FROM changed
      EXCEPT SELECT id, title, content, is_deleted FROM before) c);
  moved bigint[] := ARRAY(
    SELECT id FROM (
      SELECT id, subject_key, author_identity_id, occurred_at FROM changed
      EXCEPT SELECT id, subject_key, author_identity_id, occurred_at FROM before) c);
BEGIN
  -- A stage that failed with the old values may succeed with the new ones.
  IF cardinality(retold || moved) > 0 THEN
    DELETE FROM lightfast.stage_failures WHERE observation_id = ANY(retold || moved);
  END IF;
  IF cardinality(retold) > 0 THEN
    DELETE FROM lightfast.observation_vectors WHERE observation_id = ANY(retold);
    DELETE FROM lightfast.embedding_queue WHERE observation_id = ANY(retold);
    INSERT INTO lightfast.embedding_queue (observation_id, workspace_id)
    SELECT id, workspace_id FROM changed WHERE id = ANY(retold) AND NOT is_deleted;
  END IF;
  IF cardinality(moved) > 0 THEN
    -- In the order in which consolidation changes them.
    PERFORM FROM lightfast.cluster_members WHERE observation_id = ANY(moved)
    ORDER BY observation_id FOR NO KEY UPDATE;
    UPDATE lightfast.cluster_members m
    SET subject_key = f.subject_key, author_identity_id = f.author_identity_id, occurred_at = f.occurred_at
    FROM lightfast.observation_facts f
    WHERE m.observation_id = ANY(moved) AND f.id = m.observation_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_update AFTER UPDATE ON lightfast.observation_facts
  REFERENCING OLD TABLE AS before NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.follow_changed_observations();

CREATE FUNCTION lightfast.forget_deleted_observations() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
  deleted bigint[] := ARRAY(SELECT id FROM removed);
BEGIN
  DELETE FROM lightfast.embedding_queue WHERE observation_id = ANY(deleted);
  DELETE FROM lightfast.cluster_queue WHERE observation_id = ANY(deleted);
  RETURN NULL;
END
$$;
CREATE TRIGGER queue_delete AFTER DELETE ON lightfast.observation_facts
  REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION lightfast.forget_deleted_observations();
