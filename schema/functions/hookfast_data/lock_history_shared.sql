-- Held together by whatever relies on a payload being there (retries, replays), alone by what takes payloads away.
CREATE OR REPLACE FUNCTION hookfast_data.lock_history_shared() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    LOCK TABLE hookfast_data.history_lock IN ROW SHARE MODE
$$;
COMMENT ON FUNCTION hookfast_data.lock_history_shared IS
    'Keeps payloads from being taken away until this transaction ends';
REVOKE ALL ON FUNCTION hookfast_data.lock_history_shared FROM PUBLIC;
