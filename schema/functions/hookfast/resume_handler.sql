CREATE OR REPLACE FUNCTION hookfast.resume_handler(handler text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = NULL, paused_why = NULL
    WHERE h.name = resume_handler.handler AND h.paused_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(resume_handler.handler));
        RETURN;
    END IF;
    INSERT INTO hookfast_data.audit_log (actor, action, target)
        VALUES (session_user, 'handler.resumed', resume_handler.handler);
END $$;
COMMENT ON FUNCTION hookfast.resume_handler IS 'Lets a paused handler go on';
REVOKE ALL ON FUNCTION hookfast.resume_handler FROM PUBLIC;
