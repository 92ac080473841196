CREATE OR REPLACE FUNCTION hookfast_data.remove_idle_lease(lease bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hookfast_data.leases l WHERE l.id = remove_idle_lease.lease AND NOT EXISTS (
        SELECT FROM unnest(l.handlers) AS h (id) CROSS JOIN LATERAL hookfast_data.leased_deliveries(l.id, h.id, 1));
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION hookfast_data.remove_idle_lease IS
    'Removes a lease that holds no delivery any more; returns whether it did. The caller has locked the lease';
REVOKE ALL ON FUNCTION hookfast_data.remove_idle_lease FROM PUBLIC;
