CREATE OR REPLACE FUNCTION hookfast.resume_handler(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(resume_handler.why);
    UPDATE hookfast_data.handlers h SET paused_at = NULL, paused_why = NULL, paused_as_gone = false,
        paused_by_status = NULL
    WHERE h.name = resume_handler.handler AND h.paused_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(resume_handler.handler));
        RETURN;
    END IF;
    PERFORM hookfast_data.log('handler.resumed', resume_handler.handler,
        jsonb_build_object('why', resume_handler.why));
END $$;
COMMENT ON FUNCTION hookfast.resume_handler IS 'Resumes a paused handler';
REVOKE ALL ON FUNCTION hookfast.resume_handler FROM PUBLIC;
