-- The deliveries that a lease holds are at the beginning of two index ranges, because claims take the lowest ids and
-- the earliest due times, and a claimed delivery keeps its position. So each range is read in that order until a number
-- of unclaimed deliveries have been passed: the cost does not grow with the backlog. This misses deliveries in two
-- cases: a large transaction that committed lower ids late, and a due time that was set into the past. rescue_orphans
-- finds those once the lease no longer exists.
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
    'The deliveries of a handler that a lease holds, as far as they are at the beginning of the two index ranges';
REVOKE ALL ON FUNCTION hookfast_data.leased_deliveries FROM PUBLIC;
