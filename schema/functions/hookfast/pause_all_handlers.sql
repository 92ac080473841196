CREATE OR REPLACE FUNCTION hookfast.pause_all_handlers(why text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    handler text;
    paused bigint := 0;
BEGIN
    PERFORM hookfast_data.require_reason(pause_all_handlers.why);
    FOR handler IN SELECT h.name FROM hookfast_data.handlers h
        WHERE h.paused_at IS NULL AND h.retired_at IS NULL ORDER BY h.name LOOP
        PERFORM hookfast.pause_handler(handler, pause_all_handlers.why);
        paused := paused + 1;
    END LOOP;
    RETURN paused;
END $$;
COMMENT ON FUNCTION hookfast.pause_all_handlers IS
    'Pauses every handler. Webhooks are still stored. Returns how many handlers it paused';
REVOKE ALL ON FUNCTION hookfast.pause_all_handlers FROM PUBLIC;
