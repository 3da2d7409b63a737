-- What SQLAlchemy's tables cannot define: the storage of bodies, functions, and views of single tables. The
-- comments of views are in `store/tables/views*.py`.

-- Bodies are stored uncompressed, because compressing 10 KB costs more than writing it. They are
-- partitioned by month of receipt; bodies of a month without a partition go to the default one.
ALTER TABLE lightfast.raw_bodies ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE lightfast.raw_bodies_default PARTITION OF lightfast.raw_bodies DEFAULT;
ALTER TABLE lightfast.raw_bodies_default ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE lightfast.raw_bodies_default IS 'Bodies received in a month that has no partition of its own.';

-- Only the owner can make a partition, so the pipeline calls this function.
CREATE FUNCTION lightfast.make_body_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  first timestamptz := date_trunc('month', month)::timestamp AT TIME ZONE 'UTC';
  next timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp
    AT TIME ZONE 'UTC';
  partition text := 'raw_bodies_' || to_char(month, 'YYYY_MM');
BEGIN
  IF to_regclass('lightfast.' || partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  -- Nobody may insert into the default partition while its bodies are being moved out.
  LOCK TABLE lightfast.raw_bodies_default IN ACCESS EXCLUSIVE MODE;
  IF to_regclass('lightfast.' || partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'CREATE TABLE lightfast.%I (LIKE lightfast.raw_bodies INCLUDING ALL)', partition);
  EXECUTE format('ALTER TABLE lightfast.%I ALTER COLUMN body SET STORAGE EXTERNAL', partition);
  -- A server may grant rights on every new table by default.
  EXECUTE format(
    'REVOKE ALL ON lightfast.%I FROM PUBLIC, lightfast_receiver, lightfast_pipeline, '
    'lightfast_analyst', partition);
  EXECUTE format('COMMENT ON TABLE lightfast.%I IS %L', partition, 'Bodies received in this month.');
  EXECUTE format(
    'WITH moved AS (DELETE FROM lightfast.raw_bodies_default '
    'WHERE received_at >= %L AND received_at < %L RETURNING *) '
    'INSERT INTO lightfast.%I SELECT * FROM moved', first, next, partition);
  EXECUTE format(
    'ALTER TABLE lightfast.raw_bodies ATTACH PARTITION lightfast.%I FOR VALUES FROM (%L) TO (%L)',
    partition, first, next);
  RETURN true;
END
$$;
COMMENT ON FUNCTION lightfast.make_body_partition(date) IS
  'Makes the body partition of a month and moves its bodies there; false if it exists already.';

CREATE FUNCTION lightfast.body_to_json(body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
  -- NUL escapes, lone surrogates, form encoding or deep nesting: the bytes are kept, this is null.
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION lightfast.body_to_json(bytea) IS 'A body as jsonb; null if it is not valid jsonb.';

CREATE VIEW lightfast.deliveries AS
SELECT
  p.*,
  CASE
    WHEN q.raw_payload_id IS NOT NULL OR o.worst IS NULL THEN 'received'
    ELSE (ARRAY['dlq', 'parked', 'delivered', 'filtered'])[o.worst]
  END AS status,
  CASE WHEN q.raw_payload_id IS NULL THEN o.reason END AS status_reason,
  -- Ids are compared per secret and organisation: what another tenant sends says nothing about them.
  EXISTS (
    SELECT FROM lightfast.raw_payloads other
    WHERE other.provider = p.provider AND other.delivery_id = p.delivery_id
      AND other.org_id IS NOT DISTINCT FROM p.org_id
      AND split_part(other.verified_by, '#', 1) = split_part(p.verified_by, '#', 1)
      AND other.body_sha256 <> p.body_sha256
  ) AS id_reused
FROM lightfast.raw_payloads p
LEFT JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
LEFT JOIN LATERAL (
  SELECT
    min(rank) AS worst,
    (array_agg(reason ORDER BY rank, reason))[1] AS reason
  FROM (
    SELECT array_position(ARRAY['dlq', 'parked', 'delivered', 'filtered'], status) AS rank,
           reason
    FROM lightfast.outcomes WHERE raw_payload_id = p.id
  ) ranked
) o ON true;

CREATE VIEW lightfast.delivery_bodies AS
SELECT d.*, b.headers, b.body, lightfast.body_to_json(b.body) AS body_json
FROM lightfast.deliveries d
JOIN lightfast.raw_bodies b ON b.raw_payload_id = d.id AND b.received_at = d.received_at;

CREATE VIEW lightfast.observation_people AS
SELECT
  o.id AS observation_id,
  o.workspace_id,
  actor.actor_id,
  doer.display_name AS actor_name,
  author.actor_id AS author_id,
  writer.display_name AS author_name
-- Not of the view, whose joins would count: beyond eight the planner keeps the order in which they are written.
FROM lightfast.observation_facts o
LEFT JOIN lightfast.actor_identities actor ON actor.id = o.actor_identity_id
LEFT JOIN lightfast.actors doer ON doer.id = actor.actor_id
LEFT JOIN lightfast.actor_identities author ON author.id = o.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = author.actor_id;

CREATE VIEW lightfast.remembered AS
SELECT * FROM lightfast.observations WHERE NOT is_deleted;

CREATE VIEW lightfast.summary_sentences AS
SELECT
  c.workspace_id,
  c.id AS cluster_id,
  s.position::integer AS position,
  s.item->>'sentence' AS sentence,
  cited.ids AS observations,
  now_there.observations < cardinality(cited.ids)
    OR (s.item ? 'text_hash' AND now_there.text_hash IS DISTINCT FROM s.item->>'text_hash')
    AS is_stale
FROM lightfast.clusters c
CROSS JOIN LATERAL jsonb_array_elements(c.summary_citations) WITH ORDINALITY AS s (item, position)
CROSS JOIN LATERAL (
  SELECT ARRAY(SELECT jsonb_array_elements_text(s.item->'observations')) AS ids
) cited
CROSS JOIN LATERAL (
  SELECT count(*) AS observations,
         md5(string_agg(CASE WHEN s.item ? 'text_hash' THEN md5(o.title || E'\x1f' || o.content) END, ''
                        ORDER BY o.external_id COLLATE "C")) AS text_hash
  FROM lightfast.observations o
  WHERE o.external_id = ANY(cited.ids) AND o.workspace_id = c.workspace_id AND NOT o.is_deleted
) now_there;

CREATE VIEW lightfast.serving_models AS
SELECT DISTINCT ON (c.workspace_id) c.workspace_id, c.model, m.is_current, c.covered_at
FROM lightfast.hosted_coverage c
JOIN lightfast.hosted_models m ON m.model = c.model
-- None is current while no key is set: then no question can be embedded by any of them.
WHERE EXISTS (SELECT FROM lightfast.hosted_models WHERE is_current)
ORDER BY c.workspace_id, m.is_current DESC, c.covered_at DESC;

-- The year before the first start is what a first backfill usually asks for.
INSERT INTO lightfast.partition_start (first_day)
VALUES (date_trunc('year', (now() AT TIME ZONE 'UTC')::date - interval '1 year')::date);
