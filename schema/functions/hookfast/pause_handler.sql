CREATE OR REPLACE FUNCTION hookfast.pause_handler(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(pause_handler.why);
    PERFORM hookfast_data.pause_handler(pause_handler.handler, pause_handler.why, false, NULL);
END $$;
COMMENT ON FUNCTION hookfast.pause_handler IS 'Pauses a handler. Webhooks are still stored, and its deliveries wait';
REVOKE ALL ON FUNCTION hookfast.pause_handler FROM PUBLIC;
