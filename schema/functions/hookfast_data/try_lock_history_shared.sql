CREATE OR REPLACE FUNCTION hookfast_data.try_lock_history_shared() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE hookfast_data.history_lock IN ROW SHARE MODE NOWAIT;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.try_lock_history_shared IS
    'The same as share_history, or false where payloads are just being taken away';
REVOKE ALL ON FUNCTION hookfast_data.try_lock_history_shared FROM PUBLIC;
