-- Catches missed wake-ups and applies a change of ordered_by. The caller remembers the position, which is null at the
-- beginning and at the end. The cost of a step does not depend on how many deliveries wait behind its keys.
CREATE OR REPLACE FUNCTION hookfast_data.wake_stalled_keys(handler smallint, INOUT after text DEFAULT NULL,
    looks bigint DEFAULT 2000, OUT woken bigint, OUT more boolean)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ordered boolean := (SELECT h.ordered_by IS NOT NULL FROM hookfast_data.handlers h
        WHERE h.id = wake_stalled_keys.handler);
    keys text[];
    seen bigint;
BEGIN
    IF after IS NULL THEN
        woken := hookfast_data.apply_order_change(wake_stalled_keys.handler, ordered, looks);
        more := woken >= looks;
        IF more OR NOT ordered THEN
            RETURN;
        END IF;
    END IF;
    -- Finite times sort before infinity in the index, so the first row of a key decides whether a delivery of it is
    -- due.
    WITH RECURSIVE firsts AS (
        (SELECT o.ordering_key, o.due_at, 1 AS n FROM hookfast_data.outbox o
        WHERE o.handler_id = wake_stalled_keys.handler AND o.ordering_key <> ''
            AND o.ordering_key > coalesce(wake_stalled_keys.after, '')
        ORDER BY o.ordering_key, o.due_at, o.id LIMIT 1)
        UNION ALL
        SELECT next.ordering_key, next.due_at, f.n + 1 FROM firsts f CROSS JOIN LATERAL (
            SELECT o.ordering_key, o.due_at FROM hookfast_data.outbox o
            WHERE o.handler_id = wake_stalled_keys.handler AND o.ordering_key <> '' AND o.ordering_key > f.ordering_key
            ORDER BY o.ordering_key, o.due_at, o.id LIMIT 1) next
        WHERE f.n < looks
    )
    SELECT count(*), max(f.ordering_key), array_agg(f.ordering_key) FILTER (WHERE f.due_at = 'infinity')
    INTO seen, after, keys FROM firsts f;
    IF keys IS NOT NULL THEN
        woken := coalesce(woken, 0) + hookfast_data.make_next_due(wake_stalled_keys.handler, keys);
    END IF;
    woken := coalesce(woken, 0);
    more := seen >= looks;
    IF NOT more THEN
        after := NULL;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.wake_stalled_keys IS
    'Makes stalled deliveries due among the next ordering keys of a handler, and at the beginning applies a change '
    'of its order to earlier deliveries; returns its position, how many it changed, and whether to continue';
REVOKE ALL ON FUNCTION hookfast_data.wake_stalled_keys FROM PUBLIC;
