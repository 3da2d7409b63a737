-- How a deployment, a release or an error leads to the change behind it. The views beside this file call these
-- functions only for the columns that a query reads.

CREATE FUNCTION lightfast.pull_request_of(commit bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT pull.key
  FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.subject_id
  WHERE r.object_id = $1 AND r.type IN ('merges_as', 'contains')
    AND pull.category = 'pull_request' AND NOT pull.is_stub
  ORDER BY r.type DESC, pull.first_seen_at, pull.key LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.pull_request_of(bigint) IS
  'Key of the pull request that a commit (entities.id) is the merge of, else of the first that contains it.';

CREATE FUNCTION lightfast.deployed_pull_request(deployment bigint, commit bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT found.key FROM (
    (SELECT pull.key, 1 AS place
     FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.subject_id
     WHERE r.object_id = $2 AND r.type = 'merges_as' AND pull.category = 'pull_request'
       AND NOT pull.is_stub
     ORDER BY pull.first_seen_at, pull.key LIMIT 1)
    UNION ALL
    -- A preview names the pull request that it is of.
    (SELECT pull.key, 2
     FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.object_id
     WHERE r.subject_id = $1 AND r.type = 'references' AND pull.category = 'pull_request'
       AND NOT pull.is_stub
     ORDER BY pull.first_seen_at, pull.key LIMIT 1)
    UNION ALL
    (SELECT pull.key, 3
     FROM lightfast.relationships r JOIN lightfast.entities pull ON pull.id = r.subject_id
     WHERE r.object_id = $2 AND r.type = 'contains' AND pull.category = 'pull_request'
       AND NOT pull.is_stub
     ORDER BY pull.first_seen_at, pull.key LIMIT 1)
  ) found ORDER BY found.place LIMIT 1
$$;
COMMENT ON FUNCTION lightfast.deployed_pull_request(bigint, bigint) IS
  'Key of the pull request behind a deployment and its commit (entities.id): merged as the commit, named by the deployment, or containing the commit.';
