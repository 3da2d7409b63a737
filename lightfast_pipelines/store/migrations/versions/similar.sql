CREATE FUNCTION lightfast.similar(
  workspace text, key text, category text, most integer DEFAULT 10
) RETURNS TABLE (key text, name text, similarity real)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 AS $$
  WITH this AS MATERIALIZED (
    SELECT v.workspace_id, v.model, v.vector
    FROM lightfast.memory_vectors v
    WHERE v.workspace_id = lightfast.workspace_named($1) AND v.layer = 'entities' AND v.key = $2
      AND vector_norm(v.vector) > 0
      AND NOT EXISTS (SELECT FROM lightfast.hosted_models h WHERE h.model = v.model)
    ORDER BY v.made_at DESC LIMIT 1
  ), candidates AS (
    -- As many as can be compared in some milliseconds.
    SELECT v.key, v.title, v.vector
    FROM lightfast.memory_vectors v
    WHERE v.workspace_id = (SELECT t.workspace_id FROM this t) AND v.layer = 'entities'
      AND v.model = (SELECT t.model FROM this t) AND v.kind = $3 AND v.key <> $2
    ORDER BY v.occurred_at DESC LIMIT 10000
  )
  SELECT c.key, c.title, (1 - (c.vector <=> t.vector))::real
  FROM candidates c CROSS JOIN this t
  WHERE vector_norm(c.vector) > 0
  ORDER BY c.vector <=> t.vector, c.key LIMIT $4
$$;
COMMENT ON FUNCTION lightfast.similar(text, text, text, integer) IS
  'The things of a category (pull_request, issue, alert, ...) whose texts are most like that of a thing (its key), nearest first, among the 10,000 that changed last. The workspace is a slug, or organisation/slug.';
