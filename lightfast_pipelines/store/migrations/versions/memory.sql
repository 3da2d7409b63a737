-- What SQLAlchemy's tables cannot say: how bodies are kept, the functions and the analysts' views.

-- Bodies are stored uncompressed, as compressing 10 KB costs more than writing it, by month of receipt;
-- what is outside of the months made so far goes to a partition of its own.
ALTER TABLE lightfast.raw_bodies ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE lightfast.raw_bodies_default PARTITION OF lightfast.raw_bodies DEFAULT;
ALTER TABLE lightfast.raw_bodies_default ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE lightfast.raw_bodies_default IS 'Bodies received in a month that has no partition of its own.';

-- Only the owner can make a partition; the pipeline's upkeep calls this.
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
  -- Nobody may add to the default partition what is just being moved out of it.
  LOCK TABLE lightfast.raw_bodies_default IN ACCESS EXCLUSIVE MODE;
  IF to_regclass('lightfast.' || partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'CREATE TABLE lightfast.%I (LIKE lightfast.raw_bodies INCLUDING ALL)', partition);
  EXECUTE format('ALTER TABLE lightfast.%I ALTER COLUMN body SET STORAGE EXTERNAL', partition);
  -- A server may give rights on every new table by default.
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
  'Makes the body partition of one month and moves its bodies there; false where it is there already.';

CREATE FUNCTION lightfast.body_to_json(body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
  -- NUL escapes, lone surrogates, form encoding, depth: kept as bytes, null here.
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION lightfast.body_to_json(bytea) IS 'A body as jsonb; null where it is not valid for jsonb.';

CREATE VIEW lightfast.deliveries AS
SELECT
  p.*,
  CASE
    WHEN q.raw_payload_id IS NOT NULL OR o.worst IS NULL THEN 'received'
    ELSE (ARRAY['dlq', 'parked', 'delivered', 'filtered'])[o.worst]
  END AS status,
  CASE WHEN q.raw_payload_id IS NULL THEN o.reason END AS status_reason,
  -- An id belongs to whoever's secret it came with: what another sends says nothing of it.
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
COMMENT ON VIEW lightfast.deliveries IS 'A delivery with what became of it: received while it waits, else dlq over parked over delivered over filtered.';

CREATE VIEW lightfast.delivery_bodies AS
SELECT d.*, b.headers, b.body, lightfast.body_to_json(b.body) AS body_json
FROM lightfast.deliveries d
JOIN lightfast.raw_bodies b ON b.raw_payload_id = d.id AND b.received_at = d.received_at;
COMMENT ON VIEW lightfast.delivery_bodies IS 'A delivery with its bytes, and as JSON where they are valid for it. Not for the analyst''s role.';

CREATE VIEW lightfast.observation_people AS
SELECT
  o.id AS observation_id,
  o.workspace_id,
  actor.actor_id,
  doer.display_name AS actor_name,
  author.actor_id AS author_id,
  writer.display_name AS author_name
FROM lightfast.observations o
LEFT JOIN lightfast.actor_identities actor ON actor.id = o.actor_identity_id
LEFT JOIN lightfast.actors doer ON doer.id = actor.actor_id
LEFT JOIN lightfast.actor_identities author ON author.id = o.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = author.actor_id;
COMMENT ON VIEW lightfast.observation_people IS 'Who did an observation and whose work it is, as people rather than accounts.';

CREATE VIEW lightfast.remembered AS
SELECT * FROM lightfast.observations WHERE NOT is_deleted;
COMMENT ON VIEW lightfast.remembered IS
  'Observations but those whose subject, or whose own comment, is deleted now: what search finds.';

-- The year before the first start is what a first backfill usually asks for.
INSERT INTO lightfast.partition_start (first_day)
VALUES (date_trunc('year', (now() AT TIME ZONE 'UTC')::date - interval '1 year')::date);
