CREATE OR REPLACE FUNCTION hookfast.erase_all(
    term text DEFAULT NULL, source text DEFAULT NULL, type text DEFAULT NULL, received_after timestamptz DEFAULT NULL,
    received_before timestamptz DEFAULT NULL, payload jsonpath DEFAULT NULL, why text DEFAULT NULL,
        at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, still_pending bigint, held bigint, changed bigint, sample_ids uuid[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        SET plan_cache_mode = force_custom_plan
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    named uuid[];
    events uuid[];
    pending uuid[];
    kept uuid[];
BEGIN
    IF num_nonnulls(erase_all.term, erase_all.source, erase_all.type, erase_all.received_after,
        erase_all.received_before, erase_all.payload) = 0 THEN
        RAISE 'no filter was given, so every event would match; nothing was changed'
            USING ERRCODE = '22023', HINT = 'Give at least one of term, source, type, a time and payload.';
    END IF;
    PERFORM hookfast_data.check_payload(erase_all.payload);
    -- A dry run takes no lock, so it blocks nobody.
    IF erase_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(erase_all.why);
        PERFORM hookfast_data.lock_history_exclusive();
    END IF;
    IF erase_all.term IS NOT NULL THEN
        named := ARRAY(SELECT f.event_id FROM hookfast_data.find_events(erase_all.term, true, true) f);
    END IF;
    events := ARRAY(
        SELECT e.id FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE e.erased_at IS NULL AND (erase_all.term IS NULL OR e.id = ANY (named))
            AND (erase_all.received_after IS NULL OR e.id >= hookfast.event_id_at(erase_all.received_after))
            AND (erase_all.received_before IS NULL OR e.id < hookfast.event_id_at(erase_all.received_before))
            AND (erase_all.source IS NULL OR s.name = erase_all.source)
            AND (erase_all.type IS NULL OR hookfast_data.type_matches(erase_all.type, e.type))
            AND (erase_all.payload IS NULL OR hookfast_data.payload_matches(e.body, erase_all.payload))
        ORDER BY e.id);
    -- A dead letter blocks its ordering key, and that key is a value of its payload.
    pending := ARRAY(SELECT o.event_id FROM hookfast_data.outbox o WHERE o.event_id = ANY (events)
        UNION SELECT d.event_id FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
        WHERE d.event_id = ANY (events) AND d.ordering_key IS NOT NULL AND h.on_dead = 'block');
    kept := ARRAY(SELECT h.event_id FROM hookfast_data.retention_holds h WHERE h.event_id = ANY (events));
    events := ARRAY(SELECT e FROM unnest(events) e EXCEPT SELECT o FROM unnest(pending || kept) o ORDER BY 1);
    matching := cardinality(events);
    still_pending := cardinality(pending);
    held := cardinality(kept);
    changed := 0;
    sample_ids := events[:5];
    IF erase_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, erase_all.at_most);
        changed := hookfast_data.erase_events(events);
        -- The term is not logged: it may be the data that was to be erased.
        PERFORM hookfast_data.log('events.erased', coalesce(erase_all.source, 'all'),
            jsonb_build_object('count', changed, 'still_pending', still_pending, 'held', held,
            'by_term', erase_all.term IS NOT NULL, 'type', erase_all.type, 'received_after', erase_all.received_after,
            'received_before', erase_all.received_before, 'first_event_ids', to_jsonb(events[:100]), 'why',
                erase_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.erase_all IS
    'Erases payload and headers of all matching events (term as in hookfast.find) that are neither pending nor under '
    'a retention hold. Without at_most it changes nothing and returns how many match, with the ids of five of '
    'them';
REVOKE ALL ON FUNCTION hookfast.erase_all FROM PUBLIC;
