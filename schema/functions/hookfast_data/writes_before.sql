-- Only the snapshot includes the transactions of all databases. Their locks are visible to every role, with 32 bits of
-- their ids, which are compared modulo 2^32.
CREATE OR REPLACE FUNCTION hookfast_data.writes_before(started xid8) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT started > pg_snapshot_xmin(pg_current_snapshot()) AND EXISTS (
        SELECT FROM (
            SELECT l.transactionid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
                AND a.datname = current_database()
            UNION ALL
            SELECT p.transaction FROM pg_prepared_xacts p WHERE p.database = current_database()
        ) x
        WHERE (started::text::numeric + 4294967296 - x.transactionid::text::numeric) % 4294967296
            BETWEEN 1 AND 2147483647)
$$;
COMMENT ON FUNCTION hookfast_data.writes_before IS
    'Whether a transaction of this database that has written, or is prepared, has a smaller id';
REVOKE ALL ON FUNCTION hookfast_data.writes_before FROM PUBLIC;
