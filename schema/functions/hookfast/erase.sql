CREATE OR REPLACE FUNCTION hookfast.erase(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.require_reason(erase.why), hookfast_data.lock_history_exclusive();
    PERFORM FROM hookfast_data.retention_holds h WHERE h.event_id = erase.event_id;
    IF FOUND THEN
        RAISE 'event % is under a retention hold; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006',
                HINT = 'See the reason in hookfast.retention_holds. If it no longer applies, call '
                'hookfast.unhold_event first.';
    END IF;
    PERFORM FROM hookfast_data.outbox o WHERE o.event_id = erase.event_id LIMIT 1;
    IF FOUND THEN
        RAISE 'event % has a pending delivery, which needs its payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006',
                HINT = 'hookfast.explain lists its deliveries. Wait for the delivery, or discard it first.';
    END IF;
    PERFORM FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
        WHERE d.event_id = erase.event_id AND d.ordering_key IS NOT NULL AND h.on_dead = 'block' LIMIT 1;
    IF FOUND THEN
        RAISE 'event % has a dead letter that blocks its ordering key; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006',
                HINT = 'The ordering key is a part of the payload. Retry or discard the dead letter first.';
    END IF;
    IF hookfast_data.erase_events(ARRAY[erase.event_id]) = 0 THEN
        RAISE 'no event with the id % has a payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF004', HINT = 'The event may have been erased or purged already.';
    END IF;
    PERFORM hookfast_data.log('event.erased', erase.event_id::text, jsonb_build_object('why', erase.why));
END $$;
COMMENT ON FUNCTION hookfast.erase IS
    'Erases payload and headers of an event forever. Its key, type and history stay. An event under a retention hold '
    'is not erased';
REVOKE ALL ON FUNCTION hookfast.erase FROM PUBLIC;
