CREATE OR REPLACE FUNCTION hookfast_data.log(action text, target text, details jsonb) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    INSERT INTO hookfast_data.audit_log (actor, action, target, details, on_behalf_of)
    VALUES (session_user, log.action, log.target, jsonb_strip_nulls(log.details),
        nullif(current_setting('hookfast.on_behalf_of', true), ''))
$$;
COMMENT ON FUNCTION hookfast_data.log IS 'Adds a row to the audit log';
REVOKE ALL ON FUNCTION hookfast_data.log FROM PUBLIC;
