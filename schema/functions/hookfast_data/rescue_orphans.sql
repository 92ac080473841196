-- The caller remembers the position. It is null at the end, and the next sweep starts from the beginning.
CREATE OR REPLACE FUNCTION hookfast_data.rescue_orphans(after_handler smallint, cursor_id bigint, looks bigint,
    most_lost integer)
    RETURNS TABLE (upto_handler smallint, end_id bigint, handler_id smallint, rescued bigint, dead bigint,
        failed_lease bigint, failure text)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    seen bigint;
    orphans tid[];
    leases bigint[];
    lost_lease bigint;
    lost_deliveries tid[];
BEGIN
    -- One snapshot is enough, because a lease is registered before anything is claimed under it.
    WITH scanned AS MATERIALIZED (
        SELECT o.handler_id, o.id, o.ctid AS tid, o.lease_id FROM hookfast_data.outbox o
        WHERE (o.handler_id, o.id) > (after_handler, cursor_id) ORDER BY o.handler_id, o.id LIMIT looks
    ),
    orphaned AS MATERIALIZED (
        SELECT l.tid, l.lease_id FROM scanned l WHERE l.lease_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM hookfast_data.leases x WHERE x.id = l.lease_id)
    )
    SELECT c.seen, x.handler_id, x.id, ARRAY(SELECT o.tid FROM orphaned o), ARRAY(SELECT o.lease_id FROM orphaned o)
    INTO seen, upto_handler, end_id, orphans, leases
    FROM (SELECT count(*) AS seen FROM scanned) c
    LEFT JOIN (SELECT l.handler_id, l.id FROM scanned l ORDER BY l.handler_id DESC, l.id DESC LIMIT 1) x ON true;
    IF seen < looks THEN
        upto_handler := NULL;
        end_id := NULL;
    END IF;
    RETURN NEXT;
    FOR lost_lease, lost_deliveries IN
        SELECT t.lease, array_agg(t.tid) FROM unnest(orphans, leases) AS t (tid, lease) GROUP BY t.lease ORDER BY 1
    LOOP
        BEGIN
            RETURN QUERY SELECT upto_handler, end_id, t.handler_id, t.rescued, t.dead, NULL::bigint, NULL
            FROM hookfast_data.rescue_deliveries(lost_deliveries,
                array_fill(lost_lease, ARRAY[cardinality(lost_deliveries)]), most_lost) t;
        -- One failure must not keep the sweep from the other deliveries.
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT upto_handler, end_id, NULL::smallint, NULL::bigint, NULL::bigint, lost_lease, SQLERRM;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION hookfast_data.rescue_orphans IS
    'Reads the next deliveries in the order of the primary key, rescues those whose lease no longer exists, and '
    'returns its position';
REVOKE ALL ON FUNCTION hookfast_data.rescue_orphans FROM PUBLIC;
