CREATE OR REPLACE FUNCTION hookfast.resume(handler text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = NULL, paused_why = NULL
    WHERE h.name = resume.handler AND h.paused_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(resume.handler));
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject)
        VALUES (session_user, 'handler.resumed', resume.handler);
END $$;
COMMENT ON FUNCTION hookfast.resume IS 'Lets a paused handler go on';
REVOKE ALL ON FUNCTION hookfast.resume FROM PUBLIC;
