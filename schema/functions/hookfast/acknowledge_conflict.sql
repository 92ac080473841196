CREATE OR REPLACE FUNCTION hookfast.acknowledge_conflict(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    concerned uuid[];
    acknowledged bigint;
BEGIN
    PERFORM hookfast_data.require_reason(acknowledge_conflict.why);
    -- In a double purchase, each order is a conflict of the others.
    concerned := ARRAY(
        SELECT e.id FROM hookfast_data.events e
        WHERE e.id = acknowledge_conflict.event_id AND e.conflicts_with IS NOT NULL
            OR e.conflicts_with = acknowledge_conflict.event_id
        UNION
        SELECT c FROM hookfast_data.airalo_orders o CROSS JOIN LATERAL unnest(o.conflicts) c
        WHERE cardinality(o.conflicts) > 0
            AND (o.event_id = acknowledge_conflict.event_id OR o.conflicts @> ARRAY[acknowledge_conflict.event_id])
        ORDER BY 1);
    IF concerned = '{}' THEN
        RAISE 'event % is neither in conflict nor a possible double purchase; nothing was changed',
            acknowledge_conflict.event_id
            USING ERRCODE = 'HF004', HINT = 'See hookfast.conflicts and hookfast.airalo_orders.';
    END IF;
    INSERT INTO hookfast_data.acknowledgements (event_id, acknowledged_by)
        SELECT c, hookfast_data.caller() FROM unnest(concerned) c ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS acknowledged = ROW_COUNT;
    PERFORM hookfast_data.log('event.acknowledged', acknowledge_conflict.event_id::text,
        jsonb_build_object('why', acknowledge_conflict.why, 'conflicts', acknowledged));
END $$;
COMMENT ON FUNCTION hookfast.acknowledge_conflict IS
    'Acknowledges a conflict or a possible double purchase, by the id of any event in it. hookfast.status no longer '
    'reports it. A new conflict is reported again';
REVOKE ALL ON FUNCTION hookfast.acknowledge_conflict FROM PUBLIC;
