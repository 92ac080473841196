CREATE OR REPLACE FUNCTION hookfast.erase(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.require_reason(erase.why), hookfast_data.lock_history_exclusive();
    PERFORM FROM hookfast_data.retention_holds h WHERE h.event_id = erase.event_id;
    IF FOUND THEN
        RAISE 'event % is held; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006', HINT =
                'hookfast.retention_holds says why. Where that is over, hookfast.unhold_event first.';
    END IF;
    PERFORM FROM hookfast_data.outbox o WHERE o.event_id = erase.event_id LIMIT 1;
    IF FOUND THEN
        RAISE 'event % is still pending to a handler, which needs its payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006',
                HINT = 'hookfast.explain says to whom. Let it be delivered, or discard the delivery first.';
    END IF;
    PERFORM FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
        WHERE d.event_id = erase.event_id AND d.ordering_key IS NOT NULL AND h.on_dead = 'block' LIMIT 1;
    IF FOUND THEN
        RAISE 'event % is a dead letter that holds back what comes after it; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006',
                HINT = 'Its ordering key is a part of its payload. Retry or discard the dead letter first.';
    END IF;
    IF hookfast_data.erase_events(ARRAY[erase.event_id]) = 0 THEN
        RAISE 'no event with the id % has a payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF004', HINT = 'It may be erased already, or have left by retention.';
    END IF;
    PERFORM hookfast_data.log('event.erased', erase.event_id::text, jsonb_build_object('why', erase.why));
END $$;
COMMENT ON FUNCTION hookfast.erase IS
    'Erases payload and headers of an event forever. Its key, type and history stay. An event under a retention hold '
    'is not erased';
REVOKE ALL ON FUNCTION hookfast.erase FROM PUBLIC;
