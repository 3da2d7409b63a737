"""Which place had which name when, and references that stand for one thing until another takes the name."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lightfast.place_names (
          org_id text NOT NULL,
          alias text COLLATE "C" NOT NULL,
          place text COLLATE "C" NOT NULL,
          day date NOT NULL,
          is_weak boolean NOT NULL,
          first_at timestamptz NOT NULL,
          last_at timestamptz NOT NULL,
          shown text NOT NULL,
          PRIMARY KEY (org_id, alias, place, day, is_weak)
        );
        CREATE INDEX ix_place_names_place ON lightfast.place_names (place, last_at);
        COMMENT ON TABLE lightfast.place_names IS
          'Which repository answered to which name when, as payloads said.';
        COMMENT ON COLUMN lightfast.place_names.org_id IS
          'Organisation that knows of it; empty where a payload of the deployment''s own secret says it.';
        COMMENT ON COLUMN lightfast.place_names.alias IS 'Key by the name: `github:ref:acme/shop`.';
        COMMENT ON COLUMN lightfast.place_names.place IS
          'Key by the id of what had the name: `github:ref:300`.';
        COMMENT ON COLUMN lightfast.place_names.day IS 'Day (UTC) on which it had it.';
        COMMENT ON COLUMN lightfast.place_names.is_weak IS
          'Whether it counts only for the time before anything surer is known of the name.';
        COMMENT ON COLUMN lightfast.place_names.first_at IS 'First time on that day.';
        COMMENT ON COLUMN lightfast.place_names.last_at IS 'Last time on that day.';
        COMMENT ON COLUMN lightfast.place_names.shown IS
          'The name as it was written last on that day.';
        GRANT SELECT, INSERT, UPDATE, DELETE ON lightfast.place_names TO lightfast_pipeline;
        GRANT SELECT ON lightfast.place_names TO lightfast_analyst;

        ALTER TABLE lightfast.entity_stubs
          ADD COLUMN beside text COLLATE "C" NOT NULL DEFAULT '',
          ADD COLUMN since timestamptz NOT NULL DEFAULT '-infinity',
          DROP CONSTRAINT entity_stubs_pkey,
          ADD PRIMARY KEY (workspace_id, key, beside, since);
        COMMENT ON COLUMN lightfast.entity_stubs.beside IS
          'Alias by ids that is stated with it (a number in its repository''s own text), else empty.';
        COMMENT ON COLUMN lightfast.entity_stubs.since IS
          'From when on it stands for this entity: a name may be given up and taken by another.';
        """
    )
