"""Events of a series and how many an hour counts, so that a new one need not read all before it."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lightfast.occurrences (
          event_id text COLLATE "C" NOT NULL,
          workspace_id bigint NOT NULL REFERENCES lightfast.workspaces (id) ON DELETE CASCADE,
          series_key text COLLATE "C" NOT NULL,
          raw_payload_id bigint NOT NULL REFERENCES lightfast.raw_payloads (id) ON DELETE CASCADE,
          at timestamptz NOT NULL,
          hour_id text COLLATE "C" NOT NULL,
          alone_id text COLLATE "C" NOT NULL,
          is_alone boolean NOT NULL,
          is_restart boolean NOT NULL,
          received_at timestamptz NOT NULL,
          PRIMARY KEY (event_id, workspace_id, series_key, raw_payload_id)
        );
        COMMENT ON TABLE lightfast.occurrences IS
          'Events of a series (errors of an issue), which are counted by hour; a row a payload.';
        COMMENT ON COLUMN lightfast.occurrences.workspace_id IS
          'Workspace.';
        COMMENT ON COLUMN lightfast.occurrences.series_key IS
          'Key of what recurs: an issue of Sentry''s.';
        COMMENT ON COLUMN lightfast.occurrences.event_id IS
          'Provider''s id of the event; empty for a restart.';
        COMMENT ON COLUMN lightfast.occurrences.raw_payload_id IS
          'A payload that states it.';
        COMMENT ON COLUMN lightfast.occurrences.at IS
          'When it happened, as all payloads that state it say together.';
        COMMENT ON COLUMN lightfast.occurrences.hour_id IS
          'source_id of the observation that counts its hour.';
        COMMENT ON COLUMN lightfast.occurrences.alone_id IS
          'source_id of the observation that it is where it stands alone.';
        COMMENT ON COLUMN lightfast.occurrences.is_alone IS
          'Whether it stands alone: the first of all and after each restart.';
        COMMENT ON COLUMN lightfast.occurrences.is_restart IS
          'A regression: from then on the next event stands alone again.';
        COMMENT ON COLUMN lightfast.occurrences.received_at IS
          'When the payload was received.';
        CREATE INDEX ix_occurrences_raw ON lightfast.occurrences (raw_payload_id);
        CREATE INDEX ix_occurrences_events ON lightfast.occurrences
          (workspace_id, series_key, at, event_id) WHERE NOT is_restart;
        CREATE INDEX ix_occurrences_restarts ON lightfast.occurrences (workspace_id, series_key, at)
          WHERE is_restart;
        CREATE INDEX ix_occurrences_alone ON lightfast.occurrences (workspace_id, series_key, at)
          WHERE is_alone;
        CREATE INDEX ix_occurrences_hour ON lightfast.occurrences (workspace_id, hour_id, at, event_id)
          WHERE NOT (is_alone OR is_restart) AND at > '-infinity';
        CREATE INDEX ix_occurrences_received ON lightfast.occurrences
          (workspace_id, hour_id, received_at)
          WHERE NOT (is_alone OR is_restart) AND received_at > '-infinity';

        CREATE TABLE lightfast.occurrence_counts (
          workspace_id bigint NOT NULL REFERENCES lightfast.workspaces (id) ON DELETE CASCADE,
          hour_id text COLLATE "C" NOT NULL,
          events integer NOT NULL,
          PRIMARY KEY (workspace_id, hour_id)
        );
        COMMENT ON TABLE lightfast.occurrence_counts IS
          'How many events an hour of a series counts, those that stand alone left out.';
        COMMENT ON COLUMN lightfast.occurrence_counts.workspace_id IS 'Workspace.';
        COMMENT ON COLUMN lightfast.occurrence_counts.hour_id IS
          'source_id of the observation that counts the hour.';
        COMMENT ON COLUMN lightfast.occurrence_counts.events IS 'How many events it counts.';

        GRANT SELECT, INSERT, UPDATE, DELETE
          ON lightfast.occurrences, lightfast.occurrence_counts TO lightfast_pipeline;
        GRANT SELECT ON lightfast.occurrences, lightfast.occurrence_counts TO lightfast_analyst;

        DROP INDEX lightfast.ix_observations_series;
        UPDATE lightfast.observations SET series_key = NULL
        WHERE series_key IS NOT NULL AND NOT starts_with(source_type, 'error.');
        """
    )
    # Of payloads whose bodies retention has dropped only their observation tells anything: as many
    # events as there are payloads, at the observation's time.
    op.execute(
        """
        INSERT INTO lightfast.occurrences
          (workspace_id, series_key, event_id, raw_payload_id, at, hour_id, alone_id, is_alone,
           is_restart, received_at)
        SELECT o.workspace_id, o.series_key,
               CASE WHEN o.source_type = 'error.created'
                    THEN substr(o.source_id, length(o.series_key || '|error.created|') + 1)
                    ELSE 'payload ' || s.raw_payload_id END,
               s.raw_payload_id, o.occurred_at,
               CASE WHEN o.source_type = 'error.created' THEN '' ELSE o.source_id END,
               CASE WHEN o.source_type = 'error.created' THEN o.source_id ELSE '' END,
               o.source_type = 'error.created', false, p.received_at
        FROM lightfast.observations o
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
        WHERE o.series_key IS NOT NULL
          AND NOT EXISTS (SELECT FROM lightfast.raw_bodies b
                          WHERE b.raw_payload_id = p.id AND b.received_at = p.received_at);

        INSERT INTO lightfast.occurrence_counts (workspace_id, hour_id, events)
        SELECT workspace_id, hour_id, count(*) FROM lightfast.occurrences
        WHERE NOT is_alone GROUP BY 1, 2;

        INSERT INTO lightfast.raw_queue (raw_payload_id, partition_date)
        SELECT DISTINCT p.id, p.partition_date
        FROM lightfast.observations o
        JOIN lightfast.observation_sources s ON s.observation_id = o.id
        JOIN lightfast.raw_payloads p ON p.id = s.raw_payload_id
        JOIN lightfast.raw_bodies b ON b.raw_payload_id = p.id AND b.received_at = p.received_at
        WHERE starts_with(o.source_type, 'error.') OR o.source_type = 'issue.unresolved'
        ON CONFLICT DO NOTHING;
        """
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")
