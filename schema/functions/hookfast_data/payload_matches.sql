-- Every error is a body that does not match: it must not cost its neighbours anything. That is bodies that are not
-- JSON,
-- JSON that jsonb cannot hold (a NUL, a number without end, too deep), and what a path cannot be evaluated on.
CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN coalesce(convert_from(body, 'UTF8')::jsonb @@ filter, false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.payload_matches IS
    'Whether a body meets a payload filter; one that is not JSON that Postgres can hold meets none';
REVOKE ALL ON FUNCTION hookfast_data.payload_matches FROM PUBLIC;
