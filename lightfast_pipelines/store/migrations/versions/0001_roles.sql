-- Who may do what. None of these is a superuser; the migrator is whoever runs the migrations.
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
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA lightfast TO lightfast_receiver, lightfast_pipeline, lightfast_analyst;

-- The receiver writes deliveries and can read nothing back but their unique key.
GRANT INSERT ON lightfast.raw_payloads, lightfast.raw_bodies, lightfast.raw_queue TO lightfast_receiver;
GRANT SELECT (provider, delivery_id, body_sha256, org_id) ON lightfast.raw_payloads TO lightfast_receiver;
GRANT USAGE ON SEQUENCE lightfast.raw_payloads_id_seq TO lightfast_receiver;

-- The pipeline works on everything; a delivery itself is never changed.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lightfast TO lightfast_pipeline;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA lightfast TO lightfast_pipeline;
REVOKE UPDATE, DELETE ON lightfast.raw_payloads FROM lightfast_pipeline;
REVOKE UPDATE ON lightfast.raw_bodies FROM lightfast_pipeline;

-- The analyst reads, but no body and no view of one.
GRANT SELECT ON ALL TABLES IN SCHEMA lightfast TO lightfast_analyst;
REVOKE ALL ON lightfast.raw_bodies FROM lightfast_analyst;

ALTER DEFAULT PRIVILEGES IN SCHEMA lightfast GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lightfast_pipeline;
ALTER DEFAULT PRIVILEGES IN SCHEMA lightfast GRANT USAGE ON SEQUENCES TO lightfast_pipeline;

-- Bodies: stored uncompressed (compressing 10 KB costs more than writing it), by month of receipt,
-- what is outside the months made so far in a partition of its own.
ALTER TABLE lightfast.raw_bodies ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE lightfast.raw_bodies_default PARTITION OF lightfast.raw_bodies DEFAULT;
ALTER TABLE lightfast.raw_bodies_default ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE lightfast.raw_bodies_default IS 'Bodies received in a month that has no partition of its own.';
GRANT SELECT, INSERT, DELETE ON lightfast.raw_bodies_default TO lightfast_pipeline;

-- Makes the partition of one month. Only the owner can; the pipeline's upkeep calls it.
CREATE FUNCTION lightfast.make_body_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  first date := date_trunc('month', month)::date;
  next date := (date_trunc('month', month) + interval '1 month')::date;
  partition text := 'raw_bodies_' || to_char(month, 'YYYY_MM');
BEGIN
  IF to_regclass('lightfast.' || partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  IF EXISTS (SELECT FROM lightfast.raw_bodies_default WHERE received_at >= first AND received_at < next) THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'CREATE TABLE lightfast.%I PARTITION OF lightfast.raw_bodies FOR VALUES FROM (%L) TO (%L)',
    partition, first::timestamp AT TIME ZONE 'UTC', next::timestamp AT TIME ZONE 'UTC');
  EXECUTE format('ALTER TABLE lightfast.%I ALTER COLUMN body SET STORAGE EXTERNAL', partition);
  EXECUTE format('GRANT SELECT, INSERT, DELETE ON lightfast.%I TO lightfast_pipeline', partition);
  EXECUTE format('COMMENT ON TABLE lightfast.%I IS %L', partition, 'Bodies received in this month.');
  RETURN true;
END
$$;
COMMENT ON FUNCTION lightfast.make_body_partition(date) IS 'Makes the body partition of one month; false where it is there, or the month already has bodies elsewhere.';
REVOKE ALL ON FUNCTION lightfast.make_body_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lightfast.make_body_partition(date) TO lightfast_pipeline;
