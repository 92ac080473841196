-- The locked thing may have no row yet, so the lock is on its hash: 256 locks in all. One call takes all the locks that
-- a transaction needs, in the same order everywhere: two calls could deadlock.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_lock(names text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.lock('airalo order ' || l.stripe) FROM (
        SELECT DISTINCT hashtextextended(n, 0) & 255 AS stripe FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1
    ) l;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_lock IS
    'Locks requests, orders and descriptions until the end of the transaction, by the names from airalo_lock_name';
REVOKE ALL ON FUNCTION hookfast_data.airalo_lock FROM PUBLIC;
