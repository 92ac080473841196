CREATE OR REPLACE FUNCTION hookfast_data.try_lock_history_shared() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE hookfast_data.history_lock IN ROW SHARE MODE NOWAIT;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.try_lock_history_shared IS
    'Does the same as lock_history_shared, or returns false if payloads are being removed at this moment';
REVOKE ALL ON FUNCTION hookfast_data.try_lock_history_shared FROM PUBLIC;
