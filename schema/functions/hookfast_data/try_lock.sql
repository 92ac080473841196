CREATE OR REPLACE FUNCTION hookfast_data.try_lock(name text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM hookfast_data.locks l WHERE l.name = try_lock.name FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        -- Either another transaction holds it, or the lock is new: then its row is new too, and held by its creator.
        INSERT INTO hookfast_data.locks (name) VALUES (try_lock.name) ON CONFLICT DO NOTHING;
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION hookfast_data.try_lock IS
    'Holds this lock to the end of the transaction, or returns false if another transaction holds it';
REVOKE ALL ON FUNCTION hookfast_data.try_lock FROM PUBLIC;
