-- A commit changed a file. The path is what an index of files holds (ix_entities_path).
CREATE VIEW lightfast.file_changes AS
SELECT
  w.slug AS workspace,
  f.workspace_id,
  substr(e.key, 6) AS path,
  m.evidence AS change,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = f.metadata->>'repoId'
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName'
  ) AS repository,
  substr(f.subject_key, 15) AS commit,
  f.subject_key AS commit_key,
  regexp_replace(f.title, '^\[Commit\] ?', '') AS title,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  f.occurred_at AS committed_at,
  f.metadata->>'branch' AS branch,
  (SELECT lightfast.pull_request_of(c.id) COLLATE "C" FROM lightfast.entities c
   WHERE c.workspace_id = f.workspace_id AND c.key = f.subject_key) AS pull_request,
  (SELECT c.url FROM lightfast.entities c
   WHERE c.workspace_id = f.workspace_id AND c.key = f.subject_key) AS url
FROM lightfast.observation_facts f
JOIN lightfast.observation_entities m ON m.observation_id = f.id AND m.role = 'file'
JOIN lightfast.entities e ON e.id = m.entity_id AND e.category = 'file'
LEFT JOIN lightfast.workspaces w ON w.id = f.workspace_id
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
WHERE f.source_type = 'commit.pushed' AND NOT f.is_deleted;
