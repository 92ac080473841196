CREATE OR REPLACE FUNCTION hookfast.unhold_event(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(unhold_event.why);
    DELETE FROM hookfast_data.retention_holds h WHERE h.event_id = unhold_event.event_id;
    IF NOT FOUND THEN
        RAISE 'event % is not under a retention hold; nothing was changed', unhold_event.event_id
            USING ERRCODE = 'HF006', HINT = 'See hookfast.retention_holds.';
    END IF;
    PERFORM hookfast_data.log('event.unheld', unhold_event.event_id::text,
        jsonb_build_object('why', unhold_event.why));
END $$;
COMMENT ON FUNCTION hookfast.unhold_event IS 'Removes a retention hold, so that retention applies to the event again';
REVOKE ALL ON FUNCTION hookfast.unhold_event FROM PUBLIC;
