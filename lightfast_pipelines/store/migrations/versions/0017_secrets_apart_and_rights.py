"""What one secret verified hides nothing of what another did; stored deliveries cannot be changed.

Rights on a new table are given by its own migration from here on, never by default.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- Two live secrets of one setting (`env:NAME`, `env:NAME#2`) are one while they rotate.
        CREATE UNIQUE INDEX uq_raw_payloads_delivery_by ON lightfast.raw_payloads
          (provider, delivery_id, body_sha256, org_id, split_part(verified_by, '#', 1))
          NULLS NOT DISTINCT;
        DROP INDEX lightfast.uq_raw_payloads_delivery;
        ALTER INDEX lightfast.uq_raw_payloads_delivery_by RENAME TO uq_raw_payloads_delivery;
        GRANT SELECT (verified_by) ON lightfast.raw_payloads TO lightfast_receiver;
        COMMENT ON COLUMN lightfast.raw_payloads.verified_by IS
          'Name of the secret that verified it (`env:...`, `installation:...`), `credential:...` or `manual`.';

        CREATE OR REPLACE VIEW lightfast.deliveries AS
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

        ALTER DEFAULT PRIVILEGES IN SCHEMA lightfast REVOKE ALL ON TABLES FROM lightfast_pipeline;
        ALTER DEFAULT PRIVILEGES IN SCHEMA lightfast REVOKE ALL ON SEQUENCES FROM lightfast_pipeline;

        -- A body is written and read by its table; a partition itself gives nobody any right, but that
        -- upkeep looks for the oldest month in the default one.
        REVOKE UPDATE, DELETE ON lightfast.raw_bodies FROM lightfast_pipeline;
        DO $$
        DECLARE
          body_partition regclass;
        BEGIN
          FOR body_partition IN
            SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'lightfast.raw_bodies'::regclass
          LOOP
            EXECUTE format(
              'REVOKE ALL ON %s FROM lightfast_receiver, lightfast_pipeline, lightfast_analyst',
              body_partition);
          END LOOP;
        END
        $$;
        GRANT SELECT ON lightfast.raw_bodies_default TO lightfast_pipeline;

        REVOKE INSERT, UPDATE, DELETE ON
          lightfast.deliveries, lightfast.delivery_bodies, lightfast.observation_people,
          lightfast.remembered, lightfast.schema_version
          FROM lightfast_pipeline;
        -- What was done is added to, never rewritten.
        REVOKE UPDATE, DELETE ON lightfast.activity FROM lightfast_pipeline;
        REVOKE ALL ON FUNCTION lightfast.body_to_json(bytea) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION lightfast.body_to_json(bytea) TO lightfast_pipeline;

        CREATE OR REPLACE FUNCTION lightfast.make_body_partition(month date) RETURNS boolean
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
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
