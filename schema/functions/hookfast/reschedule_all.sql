CREATE OR REPLACE FUNCTION hookfast.reschedule_all(handler text, due_at timestamptz, type text DEFAULT NULL,
    why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    of_handler smallint := hookfast_data.handler_id(reschedule_all.handler);
    pending bigint[];
BEGIN
    IF of_handler IS NULL OR reschedule_all.due_at IS NULL OR NOT isfinite(reschedule_all.due_at) THEN
        RAISE 'handler is null, or due_at is not a finite time; nothing was changed' USING ERRCODE = '22023';
    END IF;
    PERFORM hookfast_data.check_not_retired(of_handler);
    pending := ARRAY(SELECT o.id FROM hookfast_data.outbox o
        WHERE o.handler_id = of_handler AND o.lease_id IS NULL AND o.due_at IS DISTINCT FROM 'infinity'
            AND o.ordering_key IS DISTINCT FROM ''
            AND (reschedule_all.type IS NULL OR hookfast_data.type_matches(reschedule_all.type,
                (SELECT e.type FROM hookfast_data.events e WHERE e.id = o.event_id)))
        ORDER BY o.id);
    matching := cardinality(pending);
    changed := 0;
    sample_ids := pending[:5];
    IF reschedule_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(reschedule_all.why);
        PERFORM hookfast_data.check_at_most(matching, reschedule_all.at_most);
        -- Deliveries that are being claimed or settled at this moment are left out.
        UPDATE hookfast_data.outbox o SET due_at = greatest(reschedule_all.due_at, now()) FROM (
            SELECT x.handler_id, x.id FROM unnest(pending) AS t (id) CROSS JOIN LATERAL (
                SELECT y.handler_id, y.id FROM hookfast_data.outbox y WHERE y.handler_id = of_handler AND y.id = t.id
                    AND y.lease_id IS NULL AND y.due_at IS DISTINCT FROM 'infinity'
                        AND y.ordering_key IS DISTINCT FROM ''
                FOR UPDATE SKIP LOCKED) x
        ) l WHERE o.handler_id = l.handler_id AND o.id = l.id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM hookfast_data.wake_workers();
        PERFORM hookfast_data.log('deliveries.rescheduled', reschedule_all.handler,
            jsonb_build_object('count', changed, 'due_at', reschedule_all.due_at, 'type', reschedule_all.type, 'why',
                reschedule_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.reschedule_all IS
    'Changes when all ready or retrying deliveries of a handler are due; now() makes them due at once. Without '
    'at_most it changes nothing and returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.reschedule_all FROM PUBLIC;
