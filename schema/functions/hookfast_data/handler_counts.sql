-- No REVOKE: readers call it through the view hookfast.handler_health, and cannot call functions of this schema by
-- name.
CREATE OR REPLACE FUNCTION hookfast_data.handler_counts()
    RETURNS TABLE (handler text, delivered bigint, failed bigint, dead bigint, failing text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    WITH hour AS MATERIALIZED (
        SELECT substr(r.subject, 9) AS handler, r.minute, r.counter, r.value,
            max(r.minute) FILTER (WHERE r.counter = 'delivered') OVER (PARTITION BY r.subject) AS delivered_at
        FROM hookfast_data.rollups r
        WHERE r.subject LIKE 'handler:%' AND r.minute > statement_timestamp() - interval '1 hour'
            AND r.counter IN ('delivered', 'retry', 'dead')
    ),
    counted AS (
        SELECT x.handler,
            coalesce(sum(x.value) FILTER (WHERE x.counter = 'delivered'), 0)::bigint AS delivered,
            coalesce(sum(x.value) FILTER (WHERE x.counter <> 'delivered'), 0)::bigint AS failed,
            coalesce(sum(x.value) FILTER (WHERE x.counter = 'dead'), 0)::bigint AS dead,
            coalesce(sum(x.value) FILTER (WHERE x.counter = 'delivered' AND x.minute > s.five), 0)::bigint
                AS delivered_5,
            coalesce(sum(x.value) FILTER (WHERE x.counter <> 'delivered' AND x.minute > s.five), 0)::bigint
                AS failed_5,
            coalesce(sum(x.value) FILTER (WHERE x.counter <> 'delivered'
                AND x.minute > coalesce(x.delivered_at, '-infinity')), 0)::bigint AS in_a_row,
            -- Failures before the last delivered attempt no longer count.
            coalesce(max(x.minute) FILTER (WHERE x.counter <> 'delivered') >= max(x.delivered_at), true) AS fails_last
        FROM hour x CROSS JOIN (SELECT statement_timestamp() - interval '5 minutes' AS five) s GROUP BY x.handler
    )
    SELECT c.handler, c.delivered, c.failed, c.dead,
        CASE WHEN c.in_a_row >= 3
            THEN 'the last ' || c.in_a_row || ' attempts failed, and none was delivered since: see hookfast.failures'
            WHEN c.failed_5 >= 3 AND c.failed_5 > c.delivered_5 AND c.fails_last
            THEN c.failed_5 || ' attempts failed and '
                || hookfast_data.counted(c.delivered_5, 'was', 'were')
                || ' delivered in the last five minutes: see hookfast.failures' END
    FROM counted c
$$;
COMMENT ON FUNCTION hookfast_data.handler_counts IS
    'The counts of each handler in the last hour, and why it is failing now; null if it is not';
