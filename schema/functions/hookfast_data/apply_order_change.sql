-- Uses indexes that contain only the rows to change. The exception is retries from before the handler was ordered: only
-- those with the earliest due times are read, so that the cost does not grow with the backlog. The others are found
-- once these have been delivered.
CREATE OR REPLACE FUNCTION hookfast_data.apply_order_change(handler smallint, ordered boolean,
    most bigint) RETURNS bigint
    LANGUAGE sql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
    WITH unkeyed AS MATERIALIZED (
        SELECT o.ctid AS tid FROM hookfast_data.outbox o
        WHERE apply_order_change.ordered AND o.handler_id = apply_order_change.handler AND o.due_at IS NULL
            AND o.ordering_key IS NULL AND o.lease_id IS NULL
        ORDER BY o.id LIMIT apply_order_change.most FOR UPDATE SKIP LOCKED
    ),
    unkeyed_retries AS MATERIALIZED (
        SELECT o.ctid AS tid FROM (
            SELECT x.ctid AS tid FROM hookfast_data.outbox x
            WHERE apply_order_change.ordered AND x.handler_id = apply_order_change.handler AND x.due_at IS NOT NULL
                AND x.due_at < 'infinity'
            ORDER BY x.due_at, x.id LIMIT apply_order_change.most
        ) f JOIN hookfast_data.outbox o ON o.ctid = f.tid
        WHERE o.ordering_key IS NULL AND o.lease_id IS NULL FOR UPDATE OF o SKIP LOCKED
    ),
    begun AS (
        UPDATE hookfast_data.outbox o SET ordering_key = '', due_at = NULL
        FROM (TABLE unkeyed UNION ALL TABLE unkeyed_retries) u WHERE o.ctid = u.tid RETURNING o.id
    ),
    parked AS MATERIALIZED (
        SELECT o.ctid AS tid FROM hookfast_data.outbox o
        WHERE NOT apply_order_change.ordered AND o.handler_id = apply_order_change.handler AND o.due_at IS NOT NULL
            AND o.due_at = 'infinity'
        ORDER BY o.due_at, o.id LIMIT apply_order_change.most FOR UPDATE SKIP LOCKED
    ),
    unsequenced AS MATERIALIZED (
        SELECT o.ctid AS tid FROM hookfast_data.outbox o
        WHERE NOT apply_order_change.ordered AND o.handler_id = apply_order_change.handler AND o.ordering_key = ''
        ORDER BY o.id LIMIT apply_order_change.most FOR UPDATE SKIP LOCKED
    ),
    ceased AS (
        UPDATE hookfast_data.outbox o SET due_at = clock_timestamp(), ordering_key = nullif(o.ordering_key, '')
        FROM (TABLE parked UNION ALL TABLE unsequenced) w WHERE o.ctid = w.tid RETURNING o.id
    )
    SELECT (SELECT count(*) FROM begun) + (SELECT count(*) FROM ceased)
$$;
COMMENT ON FUNCTION hookfast_data.apply_order_change IS
    'Gives an order to deliveries from before a handler was ordered, or makes waiting deliveries due if it is not '
    'ordered any more; returns how many it changed';
REVOKE ALL ON FUNCTION hookfast_data.apply_order_change FROM PUBLIC;
