-- An unknown handler gives the same error and hint as in every other function.
CREATE OR REPLACE FUNCTION hookfast.pause_handler(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.require_reason(pause_handler.why);
    UPDATE hookfast_data.handlers h SET paused_at = clock_timestamp(), paused_why = pause_handler.why
    WHERE h.name = pause_handler.handler AND h.paused_at IS NULL AND h.retired_at IS NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(pause_handler.handler));
        RETURN;
    END IF;
    INSERT INTO hookfast_data.audit_log (actor, action, target, details)
    VALUES (session_user, 'handler.paused', pause_handler.handler, jsonb_build_object('why', pause_handler.why));
END $$;
COMMENT ON FUNCTION hookfast.pause_handler IS 'Pauses a handler. Webhooks are still stored, and its deliveries wait';
REVOKE ALL ON FUNCTION hookfast.pause_handler FROM PUBLIC;
