-- Who did what to what. All joins but that to the workspace are on unique keys, so the planner leaves out
-- those whose columns a query does not read.
CREATE VIEW lightfast.changes AS
SELECT
  w.slug AS workspace,
  f.workspace_id,
  f.occurred_at,
  f.source AS provider,
  split_part(f.source_type, '.', 1) AS thing,
  split_part(f.source_type, '.', 2) AS change,
  f.source_type AS type,
  f.title,
  f.content AS text,
  coalesce(f.metadata->>'url', f.metadata->>'webUrl', subject.url) AS url,
  f.subject_key AS key,
  subject.value AS name,
  coalesce(
    repository.value, f.metadata->>'repoFullName', (f.metadata->>'gitOrg') || '/' || (f.metadata->>'gitRepo')
  ) AS repository,
  doer.display_name AS actor,
  acting.actor_id,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  f.category,
  f.topics,
  f.significance_score AS significance,
  member.cluster_id,
  cluster.topic_label AS cluster,
  f.external_id AS observation
FROM lightfast.observation_facts f
JOIN lightfast.workspaces w ON w.id = f.workspace_id
LEFT JOIN lightfast.entities subject
  ON subject.workspace_id = f.workspace_id AND subject.key = f.subject_key
LEFT JOIN lightfast.entities repository
  ON repository.workspace_id = f.workspace_id
  AND repository.key = 'github:repository:' || (f.metadata->>'repoId')
LEFT JOIN lightfast.actor_identities acting ON acting.id = f.actor_identity_id
LEFT JOIN lightfast.actors doer ON doer.id = acting.actor_id
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
LEFT JOIN lightfast.cluster_members member ON member.observation_id = f.id
LEFT JOIN lightfast.clusters cluster ON cluster.id = member.cluster_id
WHERE NOT f.is_deleted;
