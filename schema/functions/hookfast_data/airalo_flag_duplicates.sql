-- If several completed orders have an expected description, each is a possible double purchase of the others. The
-- caller holds the lock of the description: without it, two simultaneous results would not see each other.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_flag_duplicates(of_source smallint, of_description text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE hookfast_data.airalo_orders o SET conflicts = d.conflicts FROM (
        SELECT x.id, ARRAY(SELECT DISTINCT c FROM unnest(x.conflicts || others.events) c ORDER BY 1) AS conflicts
            FROM hookfast_data.airalo_orders x
        CROSS JOIN LATERAL (SELECT array_agg(y.event_id) AS events FROM hookfast_data.airalo_orders y
            WHERE y.source_id = x.source_id AND y.description = x.description AND y.state = 'completed'
                AND y.id <> x.id) others
        WHERE x.source_id = of_source AND x.description = of_description AND x.state = 'completed'
            AND others.events IS NOT NULL
        ORDER BY x.id FOR UPDATE OF x
    ) d WHERE o.id = d.id AND o.conflicts <> d.conflicts
$$;
COMMENT ON FUNCTION hookfast_data.airalo_flag_duplicates IS 'Flags completed orders that share one description';
REVOKE ALL ON FUNCTION hookfast_data.airalo_flag_duplicates FROM PUBLIC;
