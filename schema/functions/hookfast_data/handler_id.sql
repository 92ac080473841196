CREATE OR REPLACE FUNCTION hookfast_data.handler_id(handler text) RETURNS smallint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found smallint := (SELECT h.id FROM hookfast_data.handlers h WHERE h.name = handler_id.handler);
BEGIN
    IF found IS NULL AND handler_id.handler IS NOT NULL THEN
        RAISE 'no handler is named %; nothing was changed', handler_id.handler
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.handler_health.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION hookfast_data.handler_id IS 'The id of a handler; null gives null, an unknown name raises an error';
REVOKE ALL ON FUNCTION hookfast_data.handler_id FROM PUBLIC;
