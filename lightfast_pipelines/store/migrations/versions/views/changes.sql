-- Who did what to what. The joins are on unique keys, so the planner leaves out those whose columns a query
-- does not read, and a filter on a name turns them round. What is only shown is looked up for shown rows.
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
  coalesce(
    f.metadata->>'url',
    f.metadata->>'webUrl',
    (SELECT e.url FROM lightfast.entities e
     WHERE e.workspace_id = f.workspace_id AND e.key = f.subject_key)
  ) AS url,
  f.subject_key AS key,
  (SELECT e.value FROM lightfast.entities e
   WHERE e.workspace_id = f.workspace_id AND e.key = f.subject_key) AS name,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = f.metadata->>'repoId'
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName',
    (f.metadata->>'gitOrg') || '/' || (f.metadata->>'gitRepo')
  ) AS repository,
  doer.display_name AS actor,
  acting.actor_id,
  writer.display_name AS author,
  writing.actor_id AS author_id,
  f.category,
  f.topics,
  f.significance_score AS significance,
  member.cluster_id,
  (SELECT c.topic_label FROM lightfast.clusters c WHERE c.id = member.cluster_id) AS cluster,
  f.external_id AS observation
FROM lightfast.observation_facts f
LEFT JOIN lightfast.workspaces w ON w.id = f.workspace_id
LEFT JOIN lightfast.actor_identities acting ON acting.id = f.actor_identity_id
LEFT JOIN lightfast.actors doer ON doer.id = acting.actor_id
LEFT JOIN lightfast.actor_identities writing ON writing.id = f.author_identity_id
LEFT JOIN lightfast.actors writer ON writer.id = writing.actor_id
LEFT JOIN lightfast.cluster_members member ON member.observation_id = f.id
WHERE NOT f.is_deleted;
