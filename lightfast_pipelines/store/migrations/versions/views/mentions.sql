-- Who names what, where. A thing is found by its key, and its mentions by an index of theirs.
CREATE VIEW lightfast.mentions AS
SELECT
  w.slug AS workspace,
  e.workspace_id,
  e.key,
  e.category AS thing,
  e.value AS name,
  m.role,
  m.evidence,
  f.occurred_at,
  f.source_type AS type,
  f.title,
  f.subject_key AS subject,
  f.external_id AS observation
FROM lightfast.observation_entities m
JOIN lightfast.entities e ON e.id = m.entity_id
JOIN lightfast.observation_facts f ON f.id = m.observation_id
LEFT JOIN lightfast.workspaces w ON w.id = e.workspace_id
WHERE NOT f.is_deleted;
