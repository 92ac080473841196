CREATE OR REPLACE FUNCTION hookfast.hold(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.check_why(hold.why), hookfast_data.share_history();
    PERFORM FROM hookfast_data.events e WHERE e.id = hold.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %; nothing was changed', hold.event_id
            USING ERRCODE = 'HF004', HINT = 'hookfast.find looks by key, order, ICCID.';
    END IF;
    INSERT INTO hookfast_data.holds (event_id, why) VALUES (hold.event_id, hold.why) ON CONFLICT DO NOTHING;
    PERFORM hookfast_data.log('event.held', hold.event_id::text, jsonb_build_object('why', hold.why));
END $$;
COMMENT ON FUNCTION hookfast.hold IS 'Keeps an event and its history from leaving by retention';
REVOKE ALL ON FUNCTION hookfast.hold FROM PUBLIC;
