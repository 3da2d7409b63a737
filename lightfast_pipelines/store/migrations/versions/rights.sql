-- Who may do what. None of these is a superuser; the migrator is whoever runs the migrations. A new
-- table gives nobody any right until its migration does.
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
        -- Roles belong to the server: another database of it was migrated at this moment.
        NULL;
      END;
    END IF;
    BEGIN
      EXECUTE format('ALTER ROLE %I SET search_path = lightfast, public, extensions', name);
    EXCEPTION WHEN insufficient_privilege OR internal_error THEN
      -- Made by another user of the server, or being altered at this moment by the migration of another
      -- database. Our own addresses name the path anyway.
      NULL;
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA lightfast TO lightfast_receiver, lightfast_pipeline, lightfast_analyst;

-- The receiver writes deliveries and can read nothing back but their unique key, and what it needs to
-- open the installations' secrets.
GRANT INSERT ON lightfast.raw_payloads, lightfast.raw_bodies, lightfast.raw_queue TO lightfast_receiver;
GRANT SELECT (provider, event_type, delivery_id, body_sha256, org_id, verified_by)
  ON lightfast.raw_payloads
  TO lightfast_receiver;
GRANT USAGE ON SEQUENCE lightfast.raw_payloads_id_seq TO lightfast_receiver;
GRANT SELECT (id, installation_id, sealed, key_id, created_at) ON lightfast.installation_secrets
  TO lightfast_receiver;
GRANT SELECT (id, provider, external_id, status) ON lightfast.installations TO lightfast_receiver;
-- Every process sees whether it fits the database.
GRANT SELECT ON lightfast.schema_version TO lightfast_receiver;

-- The pipeline works on everything. A delivery is never changed, and what was done is added to.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lightfast TO lightfast_pipeline;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA lightfast TO lightfast_pipeline;
REVOKE UPDATE, DELETE ON lightfast.raw_payloads, lightfast.raw_bodies, lightfast.activity
  FROM lightfast_pipeline;
REVOKE INSERT, DELETE ON lightfast.partition_start FROM lightfast_pipeline;
REVOKE INSERT, UPDATE, DELETE ON
  lightfast.deliveries, lightfast.delivery_bodies, lightfast.observation_people,
  lightfast.remembered, lightfast.schema_version, lightfast.raw_bodies_default
  FROM lightfast_pipeline;

-- The analyst reads, but no body, no secret, no credential and no view of one.
GRANT SELECT ON ALL TABLES IN SCHEMA lightfast TO lightfast_analyst;
REVOKE ALL ON
  lightfast.raw_bodies, lightfast.raw_bodies_default, lightfast.delivery_bodies,
  lightfast.installation_secrets, lightfast.tokens
  FROM lightfast_analyst;

REVOKE ALL ON FUNCTION lightfast.make_body_partition(date), lightfast.body_to_json(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lightfast.make_body_partition(date), lightfast.body_to_json(bytea)
  TO lightfast_pipeline;
