CREATE OR REPLACE FUNCTION hookfast.mute_alert(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(mute_alert.why);
    UPDATE hookfast_data.active_alerts a SET muted_at = clock_timestamp(), muted_by = hookfast_data.caller(),
        muted_why = mute_alert.why
        WHERE a.event_id = mute_alert.event_id;
    IF NOT FOUND THEN
        RAISE 'alert % is not open; nothing was changed', mute_alert.event_id
            USING ERRCODE = 'HF006', HINT = 'See hookfast.alerts WHERE is_open.';
    END IF;
    PERFORM hookfast_data.log('alert.muted', mute_alert.event_id::text, jsonb_build_object('why', mute_alert.why));
END $$;
COMMENT ON FUNCTION hookfast.mute_alert IS
    'Mutes an open alert until its condition changes. If the condition ends and begins again, that is another alert';
REVOKE ALL ON FUNCTION hookfast.mute_alert FROM PUBLIC;
