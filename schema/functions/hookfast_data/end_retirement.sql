CREATE OR REPLACE FUNCTION hookfast_data.end_retirement(handlers text[], owner text) RETURNS text[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    retired record;
    unretired text[] := '{}';
    version integer;
BEGIN
    FOR retired IN SELECT h.id, h.name, h.retired_at, h.retired_why FROM hookfast_data.handlers h
        WHERE h.retired_at IS NOT NULL AND h.name = ANY (end_retirement.handlers) ORDER BY h.id FOR UPDATE
    LOOP
        UPDATE hookfast_data.subscription_version r SET version = r.version + 1, changed_at = clock_timestamp()
            RETURNING r.version INTO version;
        UPDATE hookfast_data.handlers h SET retired_at = NULL, retired_why = NULL, retired_pending = NULL,
            registered_version = version, registered_at = clock_timestamp()
        WHERE h.id = retired.id;
        PERFORM hookfast_data.log('handler.unretired', retired.name, jsonb_build_object('process', end_retirement.owner,
            'retired_at', retired.retired_at, 'why', retired.retired_why, 'subscription_version', version));
        unretired := unretired || retired.name;
    END LOOP;
    IF cardinality(unretired) > 0 THEN
        PERFORM hookfast_data.wake_workers();
    END IF;
    RETURN unretired;
END $$;
COMMENT ON FUNCTION hookfast_data.end_retirement IS
    'Ends the retirement of handlers that a live process has in its configuration; returns their names';
REVOKE ALL ON FUNCTION hookfast_data.end_retirement FROM PUBLIC;
