CREATE VIEW lightfast.releases AS
SELECT
  w.slug AS workspace,
  r.workspace_id,
  r.key,
  coalesce(repository.value, f.metadata->>'repoFullName') AS repository,
  r.version,
  e.value AS name,
  r.status,
  r.is_prerelease,
  e.url,
  r.published_at,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  lightfast.release_commit(r.workspace_id, r.key) AS commit,
  lightfast.release_before(r.workspace_id, r.key) AS previous,
  (SELECT p.version FROM lightfast.published_releases p
   WHERE p.workspace_id = r.workspace_id AND p.key = lightfast.release_before(r.workspace_id, r.key))
    AS previous_version,
  (SELECT count(*)::integer FROM lightfast.commits_of_release(r.workspace_id, r.key)) AS commit_count
FROM lightfast.published_releases r
JOIN lightfast.workspaces w ON w.id = r.workspace_id
JOIN lightfast.entities e ON e.id = r.entity_id
LEFT JOIN lightfast.observation_facts f ON f.id = r.observation_id
LEFT JOIN lightfast.entities repository
  ON repository.workspace_id = r.workspace_id
  AND repository.key = 'github:repository:' || split_part(r.key, ':', 3)
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id;
