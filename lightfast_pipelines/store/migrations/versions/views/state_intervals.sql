-- What held when, as believed now. An interval without length never held.
CREATE VIEW lightfast.state_intervals AS
SELECT
  w.slug AS workspace,
  s.workspace_id,
  s.entity_id AS key,
  s.entity_type AS thing,
  s.entity_name AS name,
  s.state_type,
  s.state_value AS value,
  s.valid_from AS since,
  changer.display_name AS changed_by,
  changing.actor_id AS changed_by_id,
  s.change_reason AS reason,
  s.state_metadata AS metadata,
  f.external_id AS observation,
  s.valid_from,
  s.valid_to,
  s.is_current
FROM lightfast.temporal_states s
LEFT JOIN lightfast.workspaces w ON w.id = s.workspace_id
LEFT JOIN lightfast.observation_facts f ON f.id = s.related_observation_id
LEFT JOIN lightfast.actor_identities changing ON changing.id = s.changed_by_identity_id
LEFT JOIN lightfast.actors changer ON changer.id = changing.actor_id
WHERE s.superseded_at IS NULL
  AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)
  -- All observations about a deleted thing are marked; those of other things may state its state.
  AND NOT (coalesce(f.is_deleted, false) AND f.subject_key = s.entity_id);
