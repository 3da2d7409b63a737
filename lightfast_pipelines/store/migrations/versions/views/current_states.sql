-- What holds now, as known now: one row per thing and kind of state. A deleted thing has none.
CREATE VIEW lightfast.current_states AS
SELECT
  workspace,
  workspace_id,
  key,
  thing,
  name,
  state_type,
  value,
  since,
  changed_by,
  changed_by_id,
  reason,
  metadata,
  observation
FROM lightfast.state_intervals
WHERE is_current;
