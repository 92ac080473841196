-- Moves dead letters back into the outbox. The deliveries stay the same, and their attempt numbers continue.
--
-- If an ordered handler skips dead letters, the sequencer gives them their keys as it does for new deliveries: before
-- the commit nobody sees that they are pending, and other deliveries of their keys run meanwhile. If dead letters block
-- their keys, no delivery of these keys runs before the commit. So they are placed before the waiting deliveries at
-- once; otherwise a waiting one would become due first.
CREATE OR REPLACE FUNCTION hookfast_data.requeue_dead_letters(deliveries bigint[], max_attempts integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    requeued bigint;
    ordered record;
BEGIN
    -- Of two retries that free the same key, neither would see the other, and neither would make the key due.
    PERFORM hookfast_data.lock('dead letters of handler ' || h.id) FROM (
        SELECT x.id FROM hookfast_data.handlers x WHERE x.on_dead = 'block' AND x.id IN (
            SELECT d.handler_id FROM unnest(deliveries) AS t (id)
            JOIN hookfast_data.dead_letters d ON d.delivery_id = t.id)
        ORDER BY x.id) h;
    WITH deleted AS (
        DELETE FROM hookfast_data.dead_letters d USING unnest(deliveries) AS t (id) WHERE d.delivery_id = t.id
            RETURNING d.*
    ),
    pending AS (
        SELECT d.*, coalesce(requeue_dead_letters.max_attempts, h.max_attempts) AS max_attempts, CASE
            WHEN h.ordered_by IS NULL THEN NULL
            WHEN h.on_dead = 'block' THEN coalesce(d.ordering_key, '') ELSE '' END AS key
        FROM deleted d JOIN hookfast_data.handlers h ON h.id = d.handler_id
    )
    INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempt_number, attempts_left, lost, due_at,
        ordering_key,
        replay_id)
    SELECT o.handler_id, o.delivery_id, o.event_id, o.attempt_number, o.max_attempts, 0,
        CASE WHEN o.key IS NULL THEN now() WHEN o.key <> '' THEN 'infinity' END, o.key, o.replay_id
    FROM pending o ORDER BY o.delivery_id;
    GET DIAGNOSTICS requeued = ROW_COUNT;
    FOR ordered IN
        SELECT o.handler_id, array_agg(DISTINCT o.ordering_key) AS keys FROM unnest(deliveries) AS t (id)
        JOIN hookfast_data.handlers h ON h.ordered_by IS NOT NULL
        JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = t.id AND o.ordering_key <> '' GROUP BY 1
    LOOP
        PERFORM hookfast_data.make_next_due(ordered.handler_id, ordered.keys);
    END LOOP;
    PERFORM hookfast_data.wake_workers();
    RETURN requeued;
END $$;
COMMENT ON FUNCTION hookfast_data.requeue_dead_letters IS 'Moves dead letters back into the outbox; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.requeue_dead_letters FROM PUBLIC;
