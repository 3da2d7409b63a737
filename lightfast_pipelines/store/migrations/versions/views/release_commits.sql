CREATE VIEW lightfast.release_commits AS
SELECT
  r.workspace,
  r.workspace_id,
  r.key AS release,
  r.version,
  r.repository,
  c.commit,
  commit.key AS commit_key,
  commit.value AS title,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  pushed.occurred_at AS committed_at,
  r.published_at AS released_at,
  lightfast.pull_request_of(commit.id) COLLATE "C" AS pull_request,
  c.found_by
FROM lightfast.releases r
CROSS JOIN LATERAL lightfast.commits_of_release(r.workspace_id, r.key) c
LEFT JOIN lightfast.entities commit
  ON commit.workspace_id = r.workspace_id AND commit.key = 'github:commit:' || c.commit
LEFT JOIN lightfast.observation_facts pushed
  ON pushed.workspace_id = r.workspace_id AND pushed.source_id = 'github:commit:' || c.commit || '|pushed'
LEFT JOIN lightfast.actor_identities writing ON writing.id = pushed.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id;
