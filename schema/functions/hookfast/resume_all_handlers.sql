CREATE OR REPLACE FUNCTION hookfast.resume_all_handlers(why text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    handler text;
    resumed bigint := 0;
BEGIN
    PERFORM hookfast_data.require_reason(resume_all_handlers.why);
    FOR handler IN SELECT h.name FROM hookfast_data.handlers h WHERE h.paused_at IS NOT NULL ORDER BY h.name LOOP
        PERFORM hookfast.resume_handler(handler, resume_all_handlers.why);
        resumed := resumed + 1;
    END LOOP;
    RETURN resumed;
END $$;
COMMENT ON FUNCTION hookfast.resume_all_handlers IS 'Resumes every paused handler. Returns how many it resumed';
REVOKE ALL ON FUNCTION hookfast.resume_all_handlers FROM PUBLIC;
