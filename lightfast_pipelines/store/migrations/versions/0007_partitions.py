"""Where daily partitions begin, and what was done outside of Dagster's runs."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lightfast.partition_start (
          is_only boolean NOT NULL DEFAULT true,
          first_day date NOT NULL,
          CONSTRAINT pk_partition_start PRIMARY KEY (is_only),
          CONSTRAINT ck_partition_start_only CHECK (is_only)
        );
        COMMENT ON TABLE lightfast.partition_start IS
          'The first daily partition, unless LIGHTFAST_PARTITIONS_START sets one.';
        COMMENT ON COLUMN lightfast.partition_start.is_only IS 'Always true: there is one row.';
        COMMENT ON COLUMN lightfast.partition_start.first_day IS
          'First day; older deliveries move it back before they are stored.';
        GRANT SELECT ON lightfast.partition_start TO lightfast_analyst;
        REVOKE INSERT, DELETE ON lightfast.partition_start FROM lightfast_pipeline;

        -- The year before the first start is what a first backfill usually asks for.
        INSERT INTO lightfast.partition_start (first_day)
        SELECT date_trunc('year', least(
          min(partition_date), (now() AT TIME ZONE 'UTC')::date - interval '1 year'
        ))::date
        FROM lightfast.raw_payloads;

        CREATE TABLE lightfast.unreported_work (
          stage text NOT NULL,
          partition_date date,
          done_at timestamptz NOT NULL DEFAULT now(),
          CONSTRAINT uq_unreported_work UNIQUE NULLS NOT DISTINCT (stage, partition_date)
        );
        COMMENT ON TABLE lightfast.unreported_work IS
          'A stage''s work on a day, done outside of Dagster''s runs; the row goes once Dagster shows it.';
        COMMENT ON COLUMN lightfast.unreported_work.stage IS
          'capture, embeddings, clusters, actors, cluster_consolidation, ...';
        COMMENT ON COLUMN lightfast.unreported_work.partition_date IS
          'Day whose rows it wrote; null for what is not done by day.';
        COMMENT ON COLUMN lightfast.unreported_work.done_at IS 'When it was last done.';
        GRANT SELECT ON lightfast.unreported_work TO lightfast_analyst;
        """
    )
