CREATE OR REPLACE FUNCTION hookfast_data.lock(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM hookfast_data.locks l WHERE l.name = lock.name FOR UPDATE;
    IF NOT FOUND THEN
        -- If two transactions lock it for the first time, the second waits for the row of the first, and then for its
        -- lock.
        INSERT INTO hookfast_data.locks (name) VALUES (lock.name) ON CONFLICT DO NOTHING;
        PERFORM FROM hookfast_data.locks l WHERE l.name = lock.name FOR UPDATE;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.lock IS
    'Waits until no other transaction holds this lock, and holds it to the end of this one';
REVOKE ALL ON FUNCTION hookfast_data.lock FROM PUBLIC;
