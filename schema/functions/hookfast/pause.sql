-- As they were, with the error and the hint of all others where there is no such handler.
CREATE OR REPLACE FUNCTION hookfast.pause(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.check_why(pause.why);
    UPDATE hookfast_data.handlers h SET paused_at = clock_timestamp(), paused_why = pause.why
    WHERE h.name = pause.handler AND h.paused_at IS NULL AND h.retired_at IS NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(pause.handler));
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, 'handler.paused', pause.handler, jsonb_build_object('why', pause.why));
END $$;
COMMENT ON FUNCTION hookfast.pause IS 'Stops dispatch to a handler; intake goes on and its deliveries wait';
REVOKE ALL ON FUNCTION hookfast.pause FROM PUBLIC;
