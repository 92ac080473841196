-- A delivery that does not pass a filter ends without a visible error, so valid JSON has to be read even if jsonb
-- rejects one of its escapes. Every error means that the body does not match: it must not affect the other deliveries
-- of the batch. Errors are JSON that jsonb cannot hold even then (a number without end, nesting that is too deep), and
-- values that a path cannot be evaluated on.
CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN coalesce(hookfast_data.lenient_jsonb(body) @@ filter, false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.payload_matches IS
    'Whether a body matches a payload filter; a body that is not JSON matches none';
REVOKE ALL ON FUNCTION hookfast_data.payload_matches FROM PUBLIC;
