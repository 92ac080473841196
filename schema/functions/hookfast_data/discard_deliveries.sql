-- Discards deliveries that are dead, or pending and not running. The history keeps them as discarded.
CREATE OR REPLACE FUNCTION hookfast_data.discard_deliveries(deliveries bigint[], why text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended bigint;
    handlers smallint[];
    keys text[];
    ordered record;
BEGIN
    WITH dead AS (
        DELETE FROM hookfast_data.dead_letters d USING unnest(deliveries) AS t (id) WHERE d.delivery_id = t.id
        RETURNING d.handler_id, d.delivery_id AS id, d.event_id, d.attempt_number, d.ordering_key
    ),
    pending AS (
        DELETE FROM hookfast_data.outbox o USING (
            SELECT x.handler_id, x.id FROM unnest(deliveries) AS t (id) CROSS JOIN hookfast_data.handlers h
            CROSS JOIN LATERAL (SELECT y.handler_id, y.id FROM hookfast_data.outbox y
                WHERE y.handler_id = h.id AND y.id = t.id AND y.lease_id IS NULL FOR UPDATE SKIP LOCKED) x
        ) l WHERE o.handler_id = l.handler_id AND o.id = l.id
        RETURNING o.handler_id, o.id, o.event_id, o.attempt_number, o.ordering_key
    ),
    discarded AS (SELECT * FROM dead UNION ALL SELECT * FROM pending),
    new_attempts AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error)
        SELECT d.event_id, d.id, d.attempt_number + 1, d.handler_id, 'discarded', discard_deliveries.why
        FROM discarded d WHERE hookfast_data.has_attempts_day(d.event_id)
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), array_agg(d.handler_id) FILTER (WHERE d.ordering_key <> ''),
        array_agg(d.ordering_key) FILTER (WHERE d.ordering_key <> '')
    INTO ended, handlers, keys FROM discarded d;
    -- In a separate statement, which sees that they were deleted.
    FOR ordered IN SELECT w.handler_id, array_agg(DISTINCT w.key) AS keys
        FROM unnest(handlers, keys) AS w (handler_id, key) GROUP BY 1 LOOP
        PERFORM hookfast_data.make_next_due(ordered.handler_id, ordered.keys);
        PERFORM hookfast_data.wake_workers();
    END LOOP;
    RETURN ended;
END $$;
COMMENT ON FUNCTION hookfast_data.discard_deliveries IS
    'Discards deliveries that are dead, or pending and not running; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.discard_deliveries FROM PUBLIC;
