"""Months of bodies are made also where the default partition holds them; roles look in our schema first."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
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
          EXECUTE format('GRANT SELECT, INSERT, DELETE ON lightfast.%I TO lightfast_pipeline', partition);
          EXECUTE format('REVOKE UPDATE ON lightfast.%I FROM lightfast_pipeline', partition);
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

        DO $$
        DECLARE
          name text;
        BEGIN
          FOREACH name IN ARRAY ARRAY['lightfast_receiver', 'lightfast_pipeline', 'lightfast_analyst'] LOOP
            BEGIN
              EXECUTE format('ALTER ROLE %I SET search_path = lightfast, public, extensions', name);
            EXCEPTION WHEN insufficient_privilege OR internal_error THEN
              -- Roles belong to the server: made by another user there, or being altered at this
              -- moment by the migration of another database. Our own addresses name the path anyway.
              NULL;
            END;
          END LOOP;
        END
        $$;
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
