-- How soon space is used again. By default a table is vacuumed once a fifth of its rows are dead, so a steady
-- load leaves it that much larger; `python -m bench.bloat` measures it.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'lightfast'::regnamespace AND c.relkind = 'r'
      AND c.relname NOT IN ('schema_version', 'raw_bodies_default')
  LOOP
    EXECUTE format(
      'ALTER TABLE lightfast.%I SET (autovacuum_vacuum_scale_factor = 0.05, '
      'autovacuum_vacuum_threshold = 500, autovacuum_vacuum_insert_scale_factor = 0.1)', name);
  END LOOP;
  -- Consolidation writes most rows of the latest work again.
  ALTER TABLE lightfast.clusters
    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
  -- A row of a queue lives for seconds. Its table stays as small as what waits.
  FOREACH name IN ARRAY ARRAY[
    'raw_queue', 'embedding_queue', 'cluster_queue', 'hosted_embedding_queue', 'layer_changes',
    'index_changes'
  ] LOOP
    EXECUTE format('ALTER TABLE lightfast.%I SET (autovacuum_vacuum_scale_factor = 0)', name);
  END LOOP;
END
$$;
