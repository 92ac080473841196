-- What a lease holds of a handler is at the beginning of its two lanes: claims take the lowest ids and the earliest
-- due times, and a held delivery keeps its place. So each lane is read in that order until so many deliveries that
-- nobody holds have been passed: the cost does not follow the backlog. What this misses (a large transaction that
-- committed lower ids late, a due time set into the past) is found by rescue_orphans once the lease is gone.
CREATE OR REPLACE FUNCTION hookfast_data.leased_deliveries(lease bigint, handler smallint, most bigint DEFAULT NULL,
    patience integer DEFAULT 4000) RETURNS SETOF tid
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o record;
    unheld integer := 0;
    found bigint := 0;
BEGIN
    FOR o IN
        SELECT x.ctid AS tid, x.lease_id FROM hookfast_data.outbox x
        WHERE x.handler_id = leased_deliveries.handler AND x.due_at IS NULL AND x.ordering_key IS NULL ORDER BY x.id
    LOOP
        EXIT WHEN found >= most OR unheld >= patience;
        IF o.lease_id = leased_deliveries.lease THEN
            RETURN NEXT o.tid;
            found := found + 1;
        ELSIF o.lease_id IS NULL THEN
            unheld := unheld + 1;
        END IF;
    END LOOP;
    unheld := 0;
    FOR o IN
        SELECT x.ctid AS tid, x.lease_id FROM hookfast_data.outbox x
        WHERE x.handler_id = leased_deliveries.handler AND x.due_at IS NOT NULL AND x.due_at <= statement_timestamp()
        ORDER BY x.due_at, x.id
    LOOP
        EXIT WHEN found >= most OR unheld >= patience;
        IF o.lease_id = leased_deliveries.lease THEN
            RETURN NEXT o.tid;
            found := found + 1;
        ELSIF o.lease_id IS NULL THEN
            unheld := unheld + 1;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION hookfast_data.leased_deliveries IS
    'The deliveries of a handler that a lease holds, as far as they are at the beginning of its lanes';
REVOKE ALL ON FUNCTION hookfast_data.leased_deliveries FROM PUBLIC;
