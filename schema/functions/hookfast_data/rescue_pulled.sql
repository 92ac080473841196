-- Never waits for a row: a locked row is being completed and keeps its lease.
CREATE OR REPLACE FUNCTION hookfast_data.rescue_pulled(of_handler smallint, grace interval, most_lost integer)
    RETURNS TABLE (handler_id smallint, rescued bigint, dead bigint, ended bigint)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    expired bigint[] := ARRAY(SELECT l.id FROM hookfast_data.leases l
        WHERE l.kind = 'pull' AND l.expires_at < clock_timestamp() - grace
            AND (of_handler IS NULL OR l.handlers[1] = of_handler)
        ORDER BY l.expires_at LIMIT 200 FOR UPDATE SKIP LOCKED);
    deliveries tid[];
    leases bigint[];
BEGIN
    SELECT array_agg(o.ctid), array_agg(l.id) INTO deliveries, leases
    FROM unnest(expired) AS e (id) JOIN hookfast_data.leases l ON l.id = e.id
    CROSS JOIN unnest(l.deliveries) AS d (id)
    JOIN hookfast_data.outbox o ON o.handler_id = l.handlers[1] AND o.id = d.id AND o.lease_id = l.id;
    RETURN QUERY SELECT t.handler_id, t.rescued, t.dead, 0::bigint
    FROM hookfast_data.rescue_deliveries(deliveries, leases, most_lost, 'client') t;
    RETURN QUERY WITH ended AS (
        DELETE FROM hookfast_data.leases l
        WHERE l.id = ANY (expired) AND NOT EXISTS (SELECT FROM unnest(l.deliveries) AS d (id)
            JOIN hookfast_data.outbox o ON o.handler_id = l.handlers[1] AND o.id = d.id AND o.lease_id = l.id)
        RETURNING l.handlers[1] AS handler_id
    )
    SELECT e.handler_id, 0::bigint, 0::bigint, count(*) FROM ended e GROUP BY e.handler_id;
END $$;
COMMENT ON FUNCTION hookfast_data.rescue_pulled IS
    'Rescues deliveries of pulling clients whose leases expired longer ago than a grace period, and removes those '
    'leases, some hundreds per call; ended is the number of removed leases';
REVOKE ALL ON FUNCTION hookfast_data.rescue_pulled FROM PUBLIC;
