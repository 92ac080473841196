-- No REVOKE: readers call it through the views hookfast.backlog and hookfast.handler_health.
CREATE OR REPLACE FUNCTION hookfast_data.handler_load()
    RETURNS TABLE (handler_id smallint, per_minute numeric, served_by bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    WITH done AS MATERIALIZED (
        SELECT r.subject, sum(r.value) / 5.0 AS per_minute FROM hookfast_data.rollups r
        WHERE r.counter IN ('delivered', 'filtered', 'dead') AND r.subject LIKE 'handler:%'
            AND r.minute >= date_trunc('minute', statement_timestamp()) - interval '5 minutes'
            AND r.minute < date_trunc('minute', statement_timestamp())
        GROUP BY r.subject
    )
    SELECT h.id, round(coalesce(d.per_minute, 0), 1),
        (SELECT count(*) FROM hookfast_data.leases l
            WHERE l.expires_at > statement_timestamp() AND l.handlers @> ARRAY[h.id])
    FROM hookfast_data.handlers h LEFT JOIN done d ON d.subject = 'handler:' || h.name
$$;
COMMENT ON FUNCTION hookfast_data.handler_load IS
    'For each handler, the deliveries settled per minute in the last five minutes, and the number of workers or '
    'clients that serve it';
