"""Words that are a thing's name only once some thing claims it."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE lightfast.entity_stubs ALTER COLUMN entity_id DROP NOT NULL;
        COMMENT ON COLUMN lightfast.entity_stubs.entity_id IS
          'Entity it stands for now: the thing itself, or a stub; null for a candidate that nothing claims.';

        CREATE TABLE lightfast.candidate_mentions (
          observation_id bigint NOT NULL REFERENCES lightfast.observations (id) ON DELETE CASCADE,
          role text NOT NULL,
          stated_key text COLLATE "C" NOT NULL,
          workspace_id bigint NOT NULL REFERENCES lightfast.workspaces (id) ON DELETE CASCADE,
          evidence text,
          confidence real NOT NULL,
          extractor text NOT NULL,
          stated_value text,
          stated_url text,
          stated_aliases text[] NOT NULL DEFAULT '{}',
          PRIMARY KEY (observation_id, role, stated_key)
        );
        CREATE INDEX ix_candidate_mentions_key
          ON lightfast.candidate_mentions (workspace_id, stated_key);
        COMMENT ON TABLE lightfast.candidate_mentions IS
          'A word that is a mention as soon as some thing claims the name, and only then.';
        COMMENT ON COLUMN lightfast.candidate_mentions.observation_id IS 'The observation.';
        COMMENT ON COLUMN lightfast.candidate_mentions.role IS 'As in observation_entities.';
        COMMENT ON COLUMN lightfast.candidate_mentions.stated_key IS
          'The candidate (entity_stubs.key).';
        COMMENT ON COLUMN lightfast.candidate_mentions.workspace_id IS 'Workspace.';
        COMMENT ON COLUMN lightfast.candidate_mentions.evidence IS 'Words that show it.';
        COMMENT ON COLUMN lightfast.candidate_mentions.confidence IS '0 to 1.';
        COMMENT ON COLUMN lightfast.candidate_mentions.extractor IS 'Rule that found it.';
        COMMENT ON COLUMN lightfast.candidate_mentions.stated_value IS 'Name as stated.';
        COMMENT ON COLUMN lightfast.candidate_mentions.stated_url IS 'Address as stated.';
        COMMENT ON COLUMN lightfast.candidate_mentions.stated_aliases IS 'Aliases as stated.';
        GRANT SELECT, INSERT, UPDATE, DELETE ON lightfast.candidate_mentions TO lightfast_pipeline;
        GRANT SELECT ON lightfast.candidate_mentions TO lightfast_analyst;
        """
    )
