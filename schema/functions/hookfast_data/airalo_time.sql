CREATE OR REPLACE FUNCTION hookfast_data.airalo_time(written text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN written ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$'
        THEN (written || '+00')::timestamptz END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_time IS 'A time as Airalo writes it: UTC without a marker';
REVOKE ALL ON FUNCTION hookfast_data.airalo_time FROM PUBLIC;
