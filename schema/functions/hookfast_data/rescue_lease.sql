CREATE OR REPLACE FUNCTION hookfast_data.rescue_lease(lease bigint, most bigint, most_lost integer)
    RETURNS TABLE (handler_id smallint, rescued bigint, dead bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    deliveries tid[] := ARRAY(SELECT d.tid FROM hookfast_data.leases l CROSS JOIN unnest(l.handlers) AS h (id)
        CROSS JOIN LATERAL hookfast_data.leased_deliveries(l.id, h.id, most) AS d (tid)
            WHERE l.id = rescue_lease.lease LIMIT most);
BEGIN
    RETURN QUERY SELECT t.handler_id, t.rescued, t.dead FROM hookfast_data.rescue_deliveries(deliveries,
        array_fill(rescue_lease.lease, ARRAY[cardinality(deliveries)]), most_lost) t;
END $$;
COMMENT ON FUNCTION hookfast_data.rescue_lease IS
    'Rescues a bounded number of deliveries of an expired lease that the caller has locked';
REVOKE ALL ON FUNCTION hookfast_data.rescue_lease FROM PUBLIC;
