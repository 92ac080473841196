-- The attempts do not count as lost, because the worker itself calls this. It never waits for a row: a locked row is
-- being settled.
CREATE OR REPLACE FUNCTION hookfast_data.release_unknown_deliveries(lease bigint, handler smallint,
    known bigint[]) RETURNS bigint
    LANGUAGE sql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
    WITH picked AS MATERIALIZED (
        SELECT o.ctid AS tid FROM hookfast_data.leased_deliveries(release_unknown_deliveries.lease,
            release_unknown_deliveries.handler) AS d (tid)
        JOIN hookfast_data.outbox o ON o.ctid = d.tid
        WHERE o.lease_id = release_unknown_deliveries.lease AND o.id <> ALL (known) FOR UPDATE OF o SKIP LOCKED
    ),
    released AS (
        UPDATE hookfast_data.outbox o SET lease_id = NULL, due_at = clock_timestamp()
        FROM picked p WHERE o.ctid = p.tid RETURNING o.id
    )
    SELECT count(*) FROM released
$$;
COMMENT ON FUNCTION hookfast_data.release_unknown_deliveries IS
    'Releases the deliveries of a handler that are under a worker''s lease and unknown to the worker; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.release_unknown_deliveries FROM PUBLIC;
