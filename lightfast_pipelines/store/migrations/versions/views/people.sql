-- Everybody who did something in a workspace, or whose work it was.
CREATE VIEW lightfast.people AS
SELECT
  w.slug AS workspace,
  w.id AS workspace_id,
  a.id AS person_id,
  a.display_name AS name,
  a.kind,
  ARRAY(
    SELECT DISTINCT i.source_username FROM lightfast.actor_identities i
    WHERE i.actor_id = a.id AND i.source_username IS NOT NULL ORDER BY 1
  ) AS usernames,
  coalesce(
    p.observation_count,
    (SELECT count(DISTINCT f.id)::integer FROM lightfast.actor_identities i
     JOIN lightfast.identity_mentions m ON m.identity_id = i.id
     JOIN lightfast.observation_facts f ON f.id = m.observation_id AND f.workspace_id = w.id
     WHERE i.actor_id = a.id)
  ) AS observation_count,
  least(
    (SELECT min(first.at) FROM lightfast.actor_identities i
     CROSS JOIN LATERAL (
       SELECT min(f.occurred_at) AS at FROM lightfast.observation_facts f
       WHERE f.actor_identity_id = i.id AND f.workspace_id = w.id) first
     WHERE i.actor_id = a.id),
    (SELECT min(first.at) FROM lightfast.actor_identities i
     CROSS JOIN LATERAL (
       SELECT min(f.occurred_at) AS at FROM lightfast.observation_facts f
       WHERE f.author_identity_id = i.id AND f.workspace_id = w.id) first
     WHERE i.actor_id = a.id)
  ) AS first_active_at,
  coalesce(
    p.last_active_at,
    (SELECT max(latest.at) FROM lightfast.actor_identities i
     CROSS JOIN LATERAL (
       SELECT max(f.occurred_at) AS at FROM lightfast.observation_facts f
       WHERE f.actor_identity_id = i.id AND f.workspace_id = w.id) latest
     WHERE i.actor_id = a.id)
  ) AS last_active_at,
  ARRAY(
    SELECT d.key FROM jsonb_each(p.expertise_domains) d
    ORDER BY d.value::real DESC, d.key LIMIT 10
  ) AS expertise,
  ARRAY(
    SELECT other.display_name
    FROM jsonb_array_elements(p.frequent_collaborators) WITH ORDINALITY AS c (item, position)
    JOIN lightfast.actors other ON other.id = c.item->>'actor_id'
    ORDER BY c.position
  ) AS works_with,
  ARRAY(
    SELECT DISTINCT lately.team FROM lightfast.actor_identities i
    CROSS JOIN LATERAL (
      (SELECT f.metadata->>'teamName' AS team FROM lightfast.observation_facts f
       WHERE f.author_identity_id = i.id AND f.workspace_id = w.id AND f.source = 'linear'
       ORDER BY f.occurred_at DESC LIMIT 100)
      UNION ALL
      (SELECT f.metadata->>'teamName' FROM lightfast.observation_facts f
       WHERE f.actor_identity_id = i.id AND f.workspace_id = w.id AND f.source = 'linear'
       ORDER BY f.occurred_at DESC LIMIT 100)
    ) lately
    WHERE i.actor_id = a.id AND i.source = 'linear' AND lately.team IS NOT NULL
    ORDER BY 1
  ) AS teams
FROM lightfast.actors a
JOIN lightfast.workspaces w ON w.org_id = a.org_id
LEFT JOIN lightfast.actor_profiles p ON p.workspace_id = w.id AND p.actor_id = a.id
-- A profile shows that they did something; before the first one is made, an observation does.
WHERE p.actor_id IS NOT NULL OR EXISTS (
  SELECT FROM lightfast.actor_identities i
  WHERE i.actor_id = a.id AND (
    EXISTS (SELECT FROM lightfast.observation_facts f
            WHERE f.author_identity_id = i.id AND f.workspace_id = w.id)
    OR EXISTS (SELECT FROM lightfast.observation_facts f
               WHERE f.actor_identity_id = i.id AND f.workspace_id = w.id))
);
