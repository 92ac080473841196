-- Transactions that rely on a payload (retries, replays) share this lock. A transaction that removes payloads takes it
-- alone.
CREATE OR REPLACE FUNCTION hookfast_data.lock_history_shared() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    LOCK TABLE hookfast_data.history_lock IN ROW SHARE MODE
$$;
COMMENT ON FUNCTION hookfast_data.lock_history_shared IS 'Prevents the removal of payloads until this transaction ends';
REVOKE ALL ON FUNCTION hookfast_data.lock_history_shared FROM PUBLIC;
