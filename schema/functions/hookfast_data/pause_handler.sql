-- An unknown handler gives the same error and hint as in every other function. If it is paused already, the reason of
-- that pause stays.
CREATE OR REPLACE FUNCTION hookfast_data.pause_handler(handler text, why text, as_gone boolean, status smallint)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = clock_timestamp(), paused_why = pause_handler.why,
        paused_as_gone = pause_handler.as_gone, paused_by_status = pause_handler.status
    WHERE h.name = pause_handler.handler AND h.paused_at IS NULL AND h.retired_at IS NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.check_not_retired(hookfast_data.handler_id(pause_handler.handler));
        RETURN;
    END IF;
    PERFORM hookfast_data.log('handler.paused', pause_handler.handler, jsonb_build_object('why', pause_handler.why));
END $$;
COMMENT ON FUNCTION hookfast_data.pause_handler IS
    'Pauses a handler, for an operator or because its receiver reported that it is gone, with the status';
REVOKE ALL ON FUNCTION hookfast_data.pause_handler FROM PUBLIC;
