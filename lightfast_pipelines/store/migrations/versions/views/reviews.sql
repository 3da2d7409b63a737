-- A review as it counts now: its latest text, and whether it was dismissed.
CREATE VIEW lightfast.reviews AS
SELECT
  w.slug AS workspace,
  f.workspace_id,
  f.subject_key AS pull_request,
  substring(f.subject_key FROM '#(\d{1,9})$')::integer AS number,
  regexp_replace(e.value, '^#\d+ ', '') AS pull_request_title,
  coalesce(
    (SELECT r.resource_name FROM lightfast.resources r
     WHERE r.provider = 'github' AND r.provider_resource_id = f.metadata->>'repoId'
       AND r.org_id = w.org_id),
    f.metadata->>'repoFullName'
  ) AS repository,
  reviewer.display_name AS reviewer,
  reviewing.actor_id AS reviewer_id,
  CASE WHEN dismissal.id IS NOT NULL THEN 'dismissed' ELSE f.metadata->>'reviewState' END AS verdict,
  coalesce(
    (SELECT o.content FROM lightfast.observation_facts o
     WHERE o.workspace_id = f.workspace_id AND o.subject_key = f.subject_key
       AND o.source_type = 'review.edited' AND o.metadata->>'reviewId' = f.metadata->>'reviewId'
       AND NOT o.is_deleted
     ORDER BY o.occurred_at DESC, o.source_id DESC LIMIT 1),
    f.content
  ) AS text,
  f.occurred_at AS submitted_at,
  f.metadata->>'url' AS url,
  f.external_id AS observation
FROM lightfast.observation_facts f
LEFT JOIN lightfast.workspaces w ON w.id = f.workspace_id
LEFT JOIN lightfast.entities e ON e.workspace_id = f.workspace_id AND e.key = f.subject_key
LEFT JOIN lightfast.actor_identities reviewing ON reviewing.id = f.author_identity_id
LEFT JOIN lightfast.actors reviewer ON reviewer.id = reviewing.actor_id
LEFT JOIN lightfast.observation_facts dismissal
  ON dismissal.workspace_id = f.workspace_id
  AND dismissal.source_id = f.subject_key || '|review.dismissed|' || (f.metadata->>'reviewId')
WHERE f.source_type = 'review.submitted' AND NOT f.is_deleted;
