-- Functions that find parts of documents, by their words or by a vector. A version is dated by the latest
-- commit that changed the file; what the repository no longer has is not there.

CREATE FUNCTION lightfast.documents_with(workspace text, words text, most integer DEFAULT 20)
RETURNS TABLE (
  repository text, path text, title text, heading_path text[], part_text text, url text,
  first_line integer, last_line integer, changed_at timestamptz, changed_by text, commit_sha text,
  rank real
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT d.repository, d.path, d.title, c.heading_path, c.text,
         d.url || '?plain=1#L' || c.first_line || '-L' || c.last_line, c.first_line, c.last_line,
         d.changed_at, d.changed_by, d.commit_sha, c.rank
  FROM (
    SELECT m.*, ts_rank(m.words, asked.query) AS rank
    FROM (SELECT websearch_to_tsquery('english', $2) AS query) asked
    JOIN lightfast.document_chunks m
      ON m.workspace_id = (SELECT lightfast.workspace_named($1)) AND m.words @@ asked.query
    ORDER BY rank DESC, m.document_id, m.position LIMIT $3
  ) c
  JOIN lightfast.documents d ON d.id = c.document_id
  ORDER BY c.rank DESC, d.path, c.position
$$;
COMMENT ON FUNCTION lightfast.documents_with(text, text, integer) IS
  'Parts of a workspace''s documents that hold these words (as in a web search: "a phrase", or, -without), the best first. The workspace is a slug, or organisation/slug.';

CREATE FUNCTION lightfast.documents_near(
  workspace text, model text, meaning halfvec, most integer DEFAULT 20
)
RETURNS TABLE (
  repository text, path text, title text, heading_path text[], part_text text, url text,
  first_line integer, last_line integer, changed_at timestamptz, changed_by text, commit_sha text,
  similarity double precision
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT d.repository, d.path, d.title, c.heading_path, c.text,
         d.url || '?plain=1#L' || c.first_line || '-L' || c.last_line, c.first_line, c.last_line,
         d.changed_at, d.changed_by, d.commit_sha, 1 - n.distance
  FROM (
    SELECT v.document_id, v.position, v.vector <=> $3 AS distance
    FROM lightfast.document_chunks v
    WHERE v.workspace_id = (SELECT lightfast.workspace_named($1)) AND v.model = $2
    ORDER BY distance, v.document_id, v.position LIMIT $4
  ) n
  JOIN lightfast.document_chunks c USING (document_id, position)
  JOIN lightfast.documents d ON d.id = n.document_id
  -- The distance from zeros, which a text without words has, is no number, and comes last.
  WHERE n.distance <> 'NaN'
  ORDER BY n.distance, d.path, c.position
$$;
COMMENT ON FUNCTION lightfast.documents_near(text, text, halfvec, integer) IS
  'Parts of a workspace''s documents whose vectors of this model are nearest to `meaning`, the nearest first. The search is exact. The vector of another part is a `meaning` too.';
