CREATE OR REPLACE FUNCTION hookfast_data.log(what text, subject text, details jsonb) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, log.what, log.subject, jsonb_strip_nulls(log.details))
$$;
COMMENT ON FUNCTION hookfast_data.log IS 'A line of the operator log';
REVOKE ALL ON FUNCTION hookfast_data.log FROM PUBLIC;
