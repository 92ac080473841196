-- Erases payload, headers and the error texts of attempts, since a handler may have repeated what it received. Pending
-- events still need their payload and are left out.
CREATE OR REPLACE FUNCTION hookfast_data.erase_events(events uuid[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    erased uuid[];
    hook name;
BEGIN
    WITH updated AS (
        UPDATE hookfast_data.events e SET body = '', headers = '{}', topic = NULL, erased_at = clock_timestamp()
        WHERE e.id = ANY (events) AND e.erased_at IS NULL RETURNING e.id
    )
    SELECT coalesce(array_agg(g.id), '{}') INTO erased FROM updated g;
    DELETE FROM hookfast_data.search_terms t WHERE t.event_id = ANY (erased);
    UPDATE hookfast_data.attempts a SET error = 'erased by an operator'
        WHERE a.event_id = ANY (erased) AND a.error IS NOT NULL;
    -- The ordering key is a value of the payload. A dead letter that blocks its key is not erased (hookfast.erase).
    UPDATE hookfast_data.dead_letters d SET ordering_key = NULL,
            last_error = CASE WHEN d.last_error IS NOT NULL THEN 'erased by an operator' END
        WHERE d.event_id = ANY (erased) AND num_nonnulls(d.ordering_key, d.last_error) > 0;
    -- The alert about a dead letter repeats its error.
    UPDATE hookfast_data.events n
        SET body = convert_to((convert_from(n.body, 'UTF8')::jsonb
            || '{"error": "erased by an operator"}')::text, 'UTF8')
    FROM hookfast_data.attempts a JOIN hookfast_data.sources s ON s.name = 'hookfast'
    JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id
        AND k.key = 'dead:' || a.delivery_id || ':' || a.attempt_number
    WHERE a.event_id = ANY (erased) AND n.id = k.event_id AND convert_from(n.body, 'UTF8')::jsonb ? 'error';
    -- Copies of the data in other tables are removed too.
    FOR hook IN SELECT h.function FROM hookfast_data.erase_hooks h ORDER BY h.function LOOP
        EXECUTE format('SELECT hookfast_data.%I($1)', hook) USING erased;
    END LOOP;
    RETURN cardinality(erased);
END $$;
COMMENT ON FUNCTION hookfast_data.erase_events IS 'Erases payload and headers of events; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.erase_events FROM PUBLIC;
