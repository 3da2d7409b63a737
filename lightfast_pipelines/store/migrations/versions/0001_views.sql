-- What analysts read beside the tables.
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
  EXISTS (
    SELECT FROM lightfast.raw_payloads other
    WHERE other.provider = p.provider AND other.delivery_id = p.delivery_id
      AND other.org_id IS NOT DISTINCT FROM p.org_id AND other.body_sha256 <> p.body_sha256
  ) AS id_reused
FROM lightfast.raw_payloads p
LEFT JOIN lightfast.raw_queue q ON q.raw_payload_id = p.id
LEFT JOIN LATERAL (
  SELECT
    min(rank) AS worst,
    (array_agg(reason ORDER BY rank, reason))[1] AS reason
  FROM (
    SELECT array_position(ARRAY['dlq', 'parked', 'delivered', 'filtered'], status) AS rank, reason
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

GRANT SELECT ON lightfast.deliveries, lightfast.observation_people TO lightfast_analyst, lightfast_pipeline;
GRANT SELECT ON lightfast.delivery_bodies TO lightfast_pipeline;
REVOKE ALL ON lightfast.delivery_bodies FROM lightfast_analyst;
