CREATE OR REPLACE FUNCTION hookfast.unmute_alert(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(unmute_alert.why);
    UPDATE hookfast_data.active_alerts a SET muted_at = NULL, muted_by = NULL, muted_why = NULL
        WHERE a.event_id = unmute_alert.event_id AND a.muted_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE 'alert % is not muted; nothing was changed', unmute_alert.event_id
            USING ERRCODE = 'HF006', HINT = 'See hookfast.alerts WHERE muted_at IS NOT NULL.';
    END IF;
    PERFORM hookfast_data.log('alert.unmuted', unmute_alert.event_id::text,
        jsonb_build_object('why', unmute_alert.why));
END $$;
COMMENT ON FUNCTION hookfast.unmute_alert IS
    'Ends the muting of an alert';
REVOKE ALL ON FUNCTION hookfast.unmute_alert FROM PUBLIC;
