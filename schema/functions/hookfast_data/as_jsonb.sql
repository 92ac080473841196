-- Before Postgres 17 an exception block cannot run in a parallel worker: restricted, not safe.
CREATE OR REPLACE FUNCTION hookfast_data.as_jsonb(body bytea) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.as_jsonb IS 'A body as jsonb, or null if Postgres cannot hold it as jsonb';
-- No REVOKE: readers call it through a view.
