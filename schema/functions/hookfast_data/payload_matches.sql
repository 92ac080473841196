-- A delivery that does not pass a filter ends without a trace of trouble, so a body of valid JSON has to be read even
-- if jsonb refuses one of its escapes. Every error means that the body does not match: it must not cost its neighbours
-- anything. Errors are JSON that jsonb cannot hold even so (a number without end, too deep), and what a path cannot be
-- evaluated on.
CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN coalesce(hookfast_data.lenient_jsonb(body) @@ filter, false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.payload_matches IS
    'Whether a body meets a payload filter; one that is not JSON meets none';
REVOKE ALL ON FUNCTION hookfast_data.payload_matches FROM PUBLIC;
