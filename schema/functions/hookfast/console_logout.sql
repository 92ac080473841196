CREATE OR REPLACE FUNCTION hookfast.console_logout(session_sha256 bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    UPDATE hookfast_data.access a SET ended_at = clock_timestamp(), ended_because = 'logged out'
    WHERE a.session_sha256 = console_logout.session_sha256 AND a.ended_at IS NULL
$$;
COMMENT ON FUNCTION hookfast.console_logout IS 'Ends a session. For the console only';
REVOKE ALL ON FUNCTION hookfast.console_logout FROM PUBLIC;
