CREATE OR REPLACE FUNCTION hookfast_data.pause_gone_handler(handler text, why text, status smallint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast.pause_handler(pause_gone_handler.handler, pause_gone_handler.why);
    -- Not if an operator paused it before: then the reason is the operator's.
    UPDATE hookfast_data.handlers h SET paused_as_gone = true, paused_by_status = pause_gone_handler.status
    WHERE h.name = pause_gone_handler.handler AND h.paused_why = pause_gone_handler.why;
END $$;
COMMENT ON FUNCTION hookfast_data.pause_gone_handler IS
    'Pauses a handler whose receiver reported that it is gone, and records the status';
REVOKE ALL ON FUNCTION hookfast_data.pause_gone_handler FROM PUBLIC;
