-- Who may do what. No role is a superuser; the migrator is the user who runs the migrations. Nobody has
-- a right on a new table until its migration grants one.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['lightfast_receiver', 'lightfast_pipeline', 'lightfast_analyst'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I {login} NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        -- Roles belong to the server: another of its databases is being migrated at this moment.
        NULL;
      END;
    END IF;
    BEGIN
      EXECUTE format('ALTER ROLE %I SET search_path = lightfast, public, extensions', name);
      IF name = 'lightfast_analyst' THEN
        -- A view has up to ten joins, most of which a query does not need: the planner must drop those
        -- before it decides on an order, also in a query that reads two views.
        EXECUTE format('ALTER ROLE %I SET join_collapse_limit = 20', name);
        EXECUTE format('ALTER ROLE %I SET from_collapse_limit = 20', name);
      END IF;
    EXCEPTION WHEN insufficient_privilege OR internal_error THEN
      -- Another user of the server made the role, or the migration of another database is altering it
      -- at this moment. The project's own addresses set the path anyway.
      NULL;
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA lightfast TO lightfast_receiver, lightfast_pipeline, lightfast_analyst;

-- The receiver writes deliveries. It can read only their unique key, and what it needs to open the
-- installations' secrets.
GRANT INSERT ON lightfast.raw_payloads, lightfast.raw_bodies, lightfast.raw_queue TO lightfast_receiver;
GRANT SELECT (provider, event_type, delivery_id, body_sha256, org_id, verified_by)
  ON lightfast.raw_payloads
  TO lightfast_receiver;
GRANT USAGE ON SEQUENCE lightfast.raw_payloads_id_seq TO lightfast_receiver;
GRANT SELECT (id, installation_id, sealed, key_id, created_at) ON lightfast.installation_secrets
  TO lightfast_receiver;
GRANT SELECT (id, provider, external_id, status) ON lightfast.installations TO lightfast_receiver;
-- Every process checks that it fits the database.
GRANT SELECT ON lightfast.schema_version TO lightfast_receiver;

-- The pipeline works on everything, but deliveries, people's decisions, the activity log and
-- measured quality are insert-only.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lightfast TO lightfast_pipeline;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA lightfast TO lightfast_pipeline;
REVOKE UPDATE, DELETE ON
  lightfast.raw_payloads, lightfast.raw_bodies, lightfast.activity, lightfast.actor_decisions,
  lightfast.quality_results
  FROM lightfast_pipeline;
REVOKE DELETE ON lightfast.breaches FROM lightfast_pipeline;
REVOKE INSERT, DELETE ON lightfast.partition_start FROM lightfast_pipeline;
REVOKE INSERT, UPDATE, DELETE ON lightfast.schema_version, lightfast.raw_bodies_default
  FROM lightfast_pipeline;
-- Views are read, never written.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT viewname FROM pg_views WHERE schemaname = 'lightfast' LOOP
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON lightfast.%I FROM lightfast_pipeline', name);
  END LOOP;
END
$$;

-- The analyst reads everything but bodies, secrets, credentials and views of them.
GRANT SELECT ON ALL TABLES IN SCHEMA lightfast TO lightfast_analyst;
REVOKE ALL ON
  lightfast.raw_bodies, lightfast.raw_bodies_default, lightfast.delivery_bodies,
  lightfast.installation_secrets, lightfast.tokens
  FROM lightfast_analyst;

-- Triggers call their functions whatever the rights of whoever writes.
REVOKE ALL ON FUNCTION
  lightfast.has_entity_vector(text), lightfast.index_id(text, text),
  lightfast.queue_new_observations(), lightfast.follow_changed_observations(),
  lightfast.forget_deleted_observations(), lightfast.note_observation_vectors(), lightfast.note_observations_deleted(),
  lightfast.note_observation_changed(), lightfast.note_cluster_members(),
  lightfast.note_cluster_changed(), lightfast.note_profiles(), lightfast.note_actor_changed(),
  lightfast.note_memory_vectors(), lightfast.note_workspace_deleted()
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lightfast.has_entity_vector(text), lightfast.index_id(text, text)
  TO lightfast_pipeline;

REVOKE ALL ON FUNCTION lightfast.make_body_partition(date), lightfast.body_to_json(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lightfast.make_body_partition(date), lightfast.body_to_json(bytea)
  TO lightfast_pipeline;

REVOKE ALL ON FUNCTION
  lightfast.workspace_named(text), lightfast.states_of(bigint, text, timestamptz, timestamptz),
  lightfast.states_as_known(text, text, timestamptz, timestamptz),
  lightfast.state_at(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  lightfast.workspace_named(text), lightfast.states_of(bigint, text, timestamptz, timestamptz),
  lightfast.states_as_known(text, text, timestamptz, timestamptz),
  lightfast.state_at(text, text, timestamptz) TO lightfast_pipeline, lightfast_analyst;

REVOKE ALL ON FUNCTION
  lightfast.documents_with(text, text, integer),
  lightfast.documents_near(text, text, halfvec, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  lightfast.documents_with(text, text, integer),
  lightfast.documents_near(text, text, halfvec, integer) TO lightfast_pipeline, lightfast_analyst;

REVOKE ALL ON FUNCTION
  lightfast.labels_of(bigint, text), lightfast.assignees_of(bigint, text, bigint),
  lightfast.place_of(bigint, text, text), lightfast.deploys_from(bigint, text, timestamptz),
  lightfast.first_live(bigint, bigint, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  lightfast.labels_of(bigint, text), lightfast.assignees_of(bigint, text, bigint),
  lightfast.place_of(bigint, text, text), lightfast.deploys_from(bigint, text, timestamptz),
  lightfast.first_live(bigint, bigint, timestamptz, text) TO lightfast_pipeline, lightfast_analyst;
-- The analysts' views call these, with the rights of whoever reads the view.
REVOKE ALL ON FUNCTION
  lightfast.pull_request_of(bigint), lightfast.deployed_pull_request(bigint, bigint),
  lightfast.cause_of(bigint), lightfast.fix_of(bigint), lightfast.author_of(bigint, text),
  lightfast.done_at(bigint, text), lightfast.title_of(bigint, text),
  lightfast.first_error(bigint, text), lightfast.error_events(bigint, text),
  lightfast.incident_end(bigint, text, text, text, timestamptz), lightfast.version_numbers(text),
  lightfast.version_line(text), lightfast.tag_of(text), lightfast.release_commit(bigint, text),
  lightfast.release_before(bigint, text), lightfast.tagged_at(bigint, text),
  lightfast.ancestors_step(bigint, text), lightfast.commits_between(bigint, text, text),
  lightfast.release_branch(bigint, text, text),
  lightfast.commits_on_branch(bigint, bigint, timestamptz, timestamptz),
  lightfast.commits_of_release(bigint, text), lightfast.similar(text, text, text, integer)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  lightfast.pull_request_of(bigint), lightfast.deployed_pull_request(bigint, bigint),
  lightfast.cause_of(bigint), lightfast.fix_of(bigint), lightfast.author_of(bigint, text),
  lightfast.done_at(bigint, text), lightfast.title_of(bigint, text),
  lightfast.first_error(bigint, text), lightfast.error_events(bigint, text),
  lightfast.incident_end(bigint, text, text, text, timestamptz), lightfast.version_numbers(text),
  lightfast.version_line(text), lightfast.tag_of(text), lightfast.release_commit(bigint, text),
  lightfast.release_before(bigint, text), lightfast.tagged_at(bigint, text),
  lightfast.ancestors_step(bigint, text), lightfast.commits_between(bigint, text, text),
  lightfast.release_branch(bigint, text, text),
  lightfast.commits_on_branch(bigint, bigint, timestamptz, timestamptz),
  lightfast.commits_of_release(bigint, text), lightfast.similar(text, text, text, integer)
  TO lightfast_pipeline, lightfast_analyst;

REVOKE ALL ON FUNCTION
  lightfast.parts_of_names(text), lightfast.whole_names(text), lightfast.words_in(text),
  lightfast.search_words(bigint, text, text, text[]), lightfast.write_observation_words(bigint[]),
  lightfast.add_observation_words(), lightfast.change_observation_words() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  lightfast.parts_of_names(text), lightfast.whole_names(text), lightfast.words_in(text),
  lightfast.search_words(bigint, text, text, text[]), lightfast.write_observation_words(bigint[])
  TO lightfast_pipeline;
