-- Runs before the order is sent, in a transaction of its own: if this process ends before the answer, the order is
-- unknown.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_record_sending(source text, description text, expected_within interval,
    again boolean) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_record_sending.source);
    row_id bigint;
BEGIN
    -- The second of two simultaneous calls waits here, and then sees the row of the first.
    PERFORM hookfast_data.airalo_lock(
        ARRAY[hookfast_data.airalo_lock_name(of_source, 'description', airalo_record_sending.description)]);
    IF NOT airalo_record_sending.again AND (
        EXISTS (SELECT FROM hookfast_data.airalo_expected e
            WHERE e.source_id = of_source AND e.description = airalo_record_sending.description)
        OR EXISTS (SELECT FROM hookfast_data.airalo_orders o
            WHERE o.source_id = of_source AND o.description = airalo_record_sending.description))
    THEN
        RETURN NULL;
    END IF;
    PERFORM FROM hookfast_data.airalo_expected e WHERE e.source_id = of_source
        AND e.description = airalo_record_sending.description AND e.request_id IS NULL;
    IF FOUND THEN
        RAISE 'an order with the description % is still unknown: Airalo may have accepted it',
            airalo_record_sending.description
            USING ERRCODE = 'HF006',
                HINT = 'Wait until the order is found, or call hookfast.airalo_forget_order if you know that Airalo '
                'did not accept it.';
    END IF;
    INSERT INTO hookfast_data.airalo_expected (source_id, description, expected_by, unknown_why, check_at)
    VALUES (of_source, airalo_record_sending.description, now() + airalo_record_sending.expected_within,
        'the order was sent, and no response has arrived', now() + airalo_record_sending.expected_within)
    RETURNING id INTO row_id;
    RETURN row_id;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_record_sending IS
    'Records an order that is about to be sent. Returns null and writes nothing if its description was used before '
    'and again is false';
REVOKE ALL ON FUNCTION hookfast_data.airalo_record_sending FROM PUBLIC;
