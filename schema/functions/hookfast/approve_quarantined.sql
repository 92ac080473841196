CREATE OR REPLACE FUNCTION hookfast.approve_quarantined(quarantine_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(approve_quarantined.why);
    PERFORM FROM hookfast_data.quarantine q WHERE q.id = approve_quarantined.quarantine_id
        AND q.whole_bytes IS NOT NULL FOR UPDATE;
    IF FOUND THEN
        RAISE 'only the beginning of the body of quarantined request % was kept; nothing was changed',
            approve_quarantined.quarantine_id
            USING ERRCODE = 'HF006', HINT = 'The sender got 401. Ask the sender to send the request again.';
    END IF;
    UPDATE hookfast_data.quarantine q SET requested_action = 'approve', requested_by = hookfast_data.caller(),
        last_result = NULL
        WHERE q.id = approve_quarantined.quarantine_id;
    IF NOT FOUND THEN
        RAISE 'no quarantined request has the id %; nothing was changed', approve_quarantined.quarantine_id
            USING ERRCODE = 'HF004', HINT = 'See hookfast.quarantine.';
    END IF;
    PERFORM hookfast_data.notify('hookfast_quarantine', '');
    PERFORM hookfast_data.log('quarantine.approve_requested', approve_quarantined.quarantine_id::text,
        jsonb_build_object('why', approve_quarantined.why));
END $$;
COMMENT ON FUNCTION hookfast.approve_quarantined IS
    'Accepts a quarantined request on an operator''s word, without verifying it. It becomes an event, verified by '
    'operator:NAME';
REVOKE ALL ON FUNCTION hookfast.approve_quarantined FROM PUBLIC;
