CREATE OR REPLACE FUNCTION hookfast.acknowledge_conflicts(
    source text DEFAULT NULL, type text DEFAULT NULL, received_after timestamptz DEFAULT NULL,
        received_before timestamptz DEFAULT NULL,
    why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids uuid[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        SET plan_cache_mode = force_custom_plan
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    -- A partial index has the ids of all conflicts, so other events are not read.
    conflicts uuid[] := ARRAY(
        SELECT e.id FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE e.conflicts_with IS NOT NULL
            AND NOT EXISTS (SELECT FROM hookfast_data.acknowledgements k WHERE k.event_id = e.id)
            AND (acknowledge_conflicts.received_after IS NULL
                OR e.id >= hookfast.event_id_at(acknowledge_conflicts.received_after))
            AND (acknowledge_conflicts.received_before IS NULL
                OR e.id < hookfast.event_id_at(acknowledge_conflicts.received_before))
            AND (acknowledge_conflicts.source IS NULL OR s.name = acknowledge_conflicts.source)
            AND (acknowledge_conflicts.type IS NULL
                OR hookfast_data.type_matches(acknowledge_conflicts.type, e.type))
        ORDER BY e.id);
BEGIN
    matching := cardinality(conflicts);
    changed := 0;
    sample_ids := conflicts[:5];
    IF acknowledge_conflicts.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(acknowledge_conflicts.why);
        PERFORM hookfast_data.check_at_most(matching, acknowledge_conflicts.at_most);
        -- Somebody else may acknowledge one of them at the same time.
        INSERT INTO hookfast_data.acknowledgements (event_id, acknowledged_by)
            SELECT c, hookfast_data.caller() FROM unnest(conflicts) c ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM hookfast_data.log('events.acknowledged', coalesce(acknowledge_conflicts.source, 'all'),
            jsonb_build_object('count', changed, 'type', acknowledge_conflicts.type,
            'received_after', acknowledge_conflicts.received_after,
            'received_before', acknowledge_conflicts.received_before,
            'first_event_ids', to_jsonb(conflicts[:100]), 'why', acknowledge_conflicts.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.acknowledge_conflicts IS
    'Acknowledges all matching rows of hookfast.conflicts that are not acknowledged yet; type is a type pattern. '
    'Without at_most it changes nothing and returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.acknowledge_conflicts FROM PUBLIC;
