-- The function stands in the select list, so that it is called once for each release: in a join with another
-- view, the planner would call it for each row of that one.
CREATE VIEW lightfast.release_commits AS
SELECT
  r.workspace,
  r.workspace_id,
  r.key AS release,
  r.version,
  r.repository,
  (r.found).commit AS commit,
  commit.key AS commit_key,
  commit.value AS title,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  pushed.occurred_at AS committed_at,
  r.published_at AS released_at,
  lightfast.pull_request_of(commit.id) COLLATE "C" AS pull_request,
  (r.found).found_by AS found_by
FROM (
  SELECT own.workspace, own.workspace_id, own.key, own.version, own.repository, own.published_at,
         lightfast.commits_of_release(own.workspace_id, own.key) AS found
  FROM lightfast.releases own
) r
LEFT JOIN lightfast.entities commit
  ON commit.workspace_id = r.workspace_id AND commit.key = 'github:commit:' || (r.found).commit
LEFT JOIN lightfast.observation_facts pushed
  ON pushed.workspace_id = r.workspace_id
  AND pushed.source_id = 'github:commit:' || (r.found).commit || '|pushed'
LEFT JOIN lightfast.actor_identities writing ON writing.id = pushed.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id;
