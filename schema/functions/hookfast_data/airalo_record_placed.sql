CREATE OR REPLACE FUNCTION hookfast_data.airalo_record_placed(expected bigint, request_id text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- If the application was faster, its row stays.
    DELETE FROM hookfast_data.airalo_expected e USING hookfast_data.airalo_expected other
    WHERE e.id = airalo_record_placed.expected AND other.source_id = e.source_id
        AND other.request_id = airalo_record_placed.request_id;
    UPDATE hookfast_data.airalo_expected e SET request_id = airalo_record_placed.request_id, unknown_why = NULL
        WHERE e.id = airalo_record_placed.expected;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_record_placed IS 'Records that Airalo accepted an order';
REVOKE ALL ON FUNCTION hookfast_data.airalo_record_placed FROM PUBLIC;
