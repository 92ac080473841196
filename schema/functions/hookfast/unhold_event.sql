CREATE OR REPLACE FUNCTION hookfast.unhold_event(event_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hookfast_data.retention_holds h WHERE h.event_id = unhold_event.event_id;
    IF NOT FOUND THEN
        RAISE 'event % is not held; nothing was changed', unhold_event.event_id
            USING ERRCODE = 'HF006', HINT = 'Held events are in hookfast.retention_holds.';
    END IF;
    PERFORM hookfast_data.log('event.unheld', unhold_event.event_id::text, '{}');
END $$;
COMMENT ON FUNCTION hookfast.unhold_event IS 'Lets a held event leave by retention again';
REVOKE ALL ON FUNCTION hookfast.unhold_event FROM PUBLIC;
