CREATE OR REPLACE FUNCTION hookfast.unhold(event_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hookfast_data.holds h WHERE h.event_id = unhold.event_id;
    IF NOT FOUND THEN
        RAISE 'event % is not held; nothing was changed', unhold.event_id
            USING ERRCODE = 'HF006', HINT = 'What is held is in hookfast.holds.';
    END IF;
    PERFORM hookfast_data.log('event.unheld', unhold.event_id::text, '{}');
END $$;
COMMENT ON FUNCTION hookfast.unhold IS 'Lets a held event leave by retention again';
REVOKE ALL ON FUNCTION hookfast.unhold FROM PUBLIC;
