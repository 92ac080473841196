-- Ends those of some free deliveries, locked by the caller, whose payload does not pass; answers with the others.
CREATE OR REPLACE FUNCTION hookfast_data.filter_out(handler smallint, filter jsonpath,
    deliveries bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    events uuid[] := ARRAY(SELECT o.event_id FROM unnest(filter_out.deliveries) AS t (id)
        JOIN hookfast_data.outbox o ON o.handler_id = filter_out.handler AND o.id = t.id ORDER BY o.event_id);
    unwanted bigint[];
    keys text[];
BEGIN
    -- One whose event is gone passes: whoever claims it sees that.
    SELECT array_agg(o.id) INTO unwanted FROM unnest(filter_out.deliveries) AS t (id)
    JOIN hookfast_data.outbox o ON o.handler_id = filter_out.handler AND o.id = t.id
    CROSS JOIN LATERAL (SELECT e.body FROM hookfast_data.events e WHERE e.id = o.event_id
        AND e.id BETWEEN events[1] AND events[cardinality(events)]) e
    WHERE NOT hookfast_data.payload_matches(e.body, filter_out.filter);
    IF unwanted IS NULL THEN
        RETURN filter_out.deliveries;
    END IF;
    WITH gone AS (
        DELETE FROM hookfast_data.outbox o USING unnest(unwanted) AS t (id)
        WHERE o.handler_id = filter_out.handler AND o.id = t.id
        RETURNING o.event_id, o.id, o.attempt, o.ordering_key
    ),
    tried AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome)
        SELECT g.event_id, g.id, g.attempt + 1, filter_out.handler, 'filtered' FROM gone g
        ON CONFLICT DO NOTHING
    )
    SELECT array_agg(DISTINCT g.ordering_key) INTO keys FROM gone g WHERE g.ordering_key <> '';
    IF keys IS NOT NULL THEN
        PERFORM hookfast_data.wake(filter_out.handler, keys);
    END IF;
    RETURN ARRAY(SELECT id FROM unnest(filter_out.deliveries) AS t (id) WHERE NOT id = ANY (unwanted));
END $$;
COMMENT ON FUNCTION hookfast_data.filter_out IS
    'Settles as filtered what a payload filter does not let pass, among deliveries that the caller has locked; '
    'answers with the rest';
REVOKE ALL ON FUNCTION hookfast_data.filter_out FROM PUBLIC;
