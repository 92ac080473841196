CREATE OR REPLACE FUNCTION hookfast.hold_event(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(hold_event.why), hookfast_data.lock_history_shared();
    PERFORM FROM hookfast_data.events e WHERE e.id = hold_event.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %; nothing was changed', hold_event.event_id
            USING ERRCODE = 'HF004', HINT = 'hookfast.find finds events by key, order or ICCID.';
    END IF;
    INSERT INTO hookfast_data.retention_holds (event_id, why, held_by)
        VALUES (hold_event.event_id, hold_event.why, hookfast_data.caller())
        ON CONFLICT DO NOTHING;
    PERFORM hookfast_data.log('event.held', hold_event.event_id::text, jsonb_build_object('why', hold_event.why));
END $$;
COMMENT ON FUNCTION hookfast.hold_event IS 'Keeps an event and its history beyond their retention';
REVOKE ALL ON FUNCTION hookfast.hold_event FROM PUBLIC;
