"""What people work on, what clusters are about, and whether either has changed since it was written."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lightfast.actor_profiles (
          workspace_id bigint NOT NULL REFERENCES lightfast.workspaces (id) ON DELETE CASCADE,
          actor_id text NOT NULL REFERENCES lightfast.actors (id) ON DELETE CASCADE,
          expertise_domains jsonb NOT NULL DEFAULT '{}'::jsonb,
          contribution_types jsonb NOT NULL DEFAULT '{}'::jsonb,
          active_hours integer[] NOT NULL DEFAULT '{}'::integer[],
          frequent_collaborators jsonb NOT NULL DEFAULT '[]'::jsonb,
          observation_count integer NOT NULL,
          last_active_at timestamptz NOT NULL,
          profile_confidence real NOT NULL,
          evidence_hash text NOT NULL,
          rule_version integer NOT NULL,
          created_at timestamptz NOT NULL DEFAULT now(),
          updated_at timestamptz NOT NULL DEFAULT now(),
          PRIMARY KEY (workspace_id, actor_id)
        );
        CREATE INDEX ix_actor_profiles_actor ON lightfast.actor_profiles (actor_id);
        CREATE INDEX ix_actor_profiles_active
          ON lightfast.actor_profiles (workspace_id, last_active_at);
        COMMENT ON TABLE lightfast.actor_profiles IS
          'What a person or bot works on in a workspace, with whom and when.';
        COMMENT ON COLUMN lightfast.actor_profiles.workspace_id IS 'Workspace.';
        COMMENT ON COLUMN lightfast.actor_profiles.actor_id IS
          'Who it is about; bots have profiles too (actors.kind).';
        COMMENT ON COLUMN lightfast.actor_profiles.expertise_domains IS
          'Domain (`directory:src/cart`, `category:bug_fix`, an entity''s key) -> 0 to 1; halves every 90 days.';
        COMMENT ON COLUMN lightfast.actor_profiles.contribution_types IS
          'Kind of contribution (code, review, discussion, ...) -> share of all.';
        COMMENT ON COLUMN lightfast.actor_profiles.active_hours IS
          'Hours of the day (UTC) with more activity than the mean; empty below ten deeds.';
        COMMENT ON COLUMN lightfast.actor_profiles.frequent_collaborators IS
          '[{actor_id, display_name, interactions, kinds: {reviewed, co_authored, discussed}}], most first.';
        COMMENT ON COLUMN lightfast.actor_profiles.observation_count IS
          'Observations that the person took part in.';
        COMMENT ON COLUMN lightfast.actor_profiles.last_active_at IS
          'Latest of what the person did.';
        COMMENT ON COLUMN lightfast.actor_profiles.profile_confidence IS
          '0 to 0.95, by the number of observations.';
        COMMENT ON COLUMN lightfast.actor_profiles.evidence_hash IS
          'Hash of the evidence it was made from: another one makes it due.';
        COMMENT ON COLUMN lightfast.actor_profiles.rule_version IS
          'Version of the rule that made it.';
        COMMENT ON COLUMN lightfast.actor_profiles.created_at IS 'When it was first made.';
        COMMENT ON COLUMN lightfast.actor_profiles.updated_at IS 'When it last changed.';
        GRANT SELECT ON lightfast.actor_profiles TO lightfast_analyst;

        ALTER TABLE lightfast.clusters
          ADD COLUMN summary text,
          ADD COLUMN summary_citations jsonb NOT NULL DEFAULT '[]'::jsonb,
          ADD COLUMN summary_generated_at timestamptz;
        COMMENT ON COLUMN lightfast.clusters.summary IS
          'One to four sentences of what it is about; null for fewer than five members.';
        COMMENT ON COLUMN lightfast.clusters.summary_citations IS
          '[{sentence, observations: [external ids]}], the first of all members there were.';
        COMMENT ON COLUMN lightfast.clusters.summary_generated_at IS
          'When the summary was written.';

        ALTER TABLE lightfast.consolidation_marks
          ADD COLUMN profiled bigint NOT NULL DEFAULT 0,
          ADD COLUMN profile_rules integer NOT NULL DEFAULT 0,
          ADD COLUMN summarized bigint NOT NULL DEFAULT 0,
          ADD COLUMN summary_rules text NOT NULL DEFAULT '';
        COMMENT ON COLUMN lightfast.consolidation_marks.profiled IS
          'Sum of `changes` over the organisation that profiles were last made for.';
        COMMENT ON COLUMN lightfast.consolidation_marks.profile_rules IS
          'Version of the rule that made the profiles.';
        COMMENT ON COLUMN lightfast.consolidation_marks.summarized IS
          'Value of `consolidated` that summaries were last written for.';
        COMMENT ON COLUMN lightfast.consolidation_marks.summary_rules IS
          'Versions of the rules of clusters and of summaries that wrote them.';
        """
    )
