-- The next delivery of each key becomes due, unless another delivery of it is due or a dead letter blocks the key.
-- Finite times sort before infinity in the index, so the first row of a key decides. This never waits for a row: a
-- transaction that has locked the row makes the key due itself, and if it is rolled back, a sweep does.
CREATE OR REPLACE FUNCTION hookfast_data.make_next_due(handler smallint, keys text[]) RETURNS bigint
    LANGUAGE sql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
    WITH next AS MATERIALIZED (
        SELECT f.tid FROM (SELECT DISTINCT unnest(keys) AS key) k
        JOIN hookfast_data.handlers h ON h.id = make_next_due.handler
        CROSS JOIN LATERAL (
            SELECT o.ctid AS tid, o.due_at FROM hookfast_data.outbox o
            WHERE o.handler_id = make_next_due.handler AND o.ordering_key = k.key AND o.ordering_key <> ''
            ORDER BY o.due_at, o.id LIMIT 1
        ) f
        WHERE f.due_at = 'infinity' AND NOT (h.on_dead = 'block' AND EXISTS (
            SELECT FROM hookfast_data.dead_letters d WHERE d.handler_id = make_next_due.handler
                AND d.ordering_key = k.key))
    ),
    free AS MATERIALIZED (
        SELECT o.ctid AS tid FROM next n JOIN hookfast_data.outbox o ON o.ctid = n.tid
        WHERE o.due_at = 'infinity' FOR NO KEY UPDATE OF o SKIP LOCKED
    ),
    woken AS (
        UPDATE hookfast_data.outbox o SET due_at = clock_timestamp() FROM free f WHERE o.ctid = f.tid RETURNING o.id
    )
    SELECT count(*) FROM woken
$$;
COMMENT ON FUNCTION hookfast_data.make_next_due IS
    'Makes the next delivery of each key due if no delivery of that key is due; returns how many. It is safe to call '
    'at any time';
REVOKE ALL ON FUNCTION hookfast_data.make_next_due FROM PUBLIC;
