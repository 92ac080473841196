-- Before the order is sent, in a transaction of its own: should this process end before the answer, it is unknown.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_place(source text, description text,
    expected_within interval) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    row_id bigint;
BEGIN
    INSERT INTO hookfast_data.airalo_expected (source_id, description, expected_by, unknown_why, check_at)
    VALUES (hookfast_data.airalo_source(airalo_place.source), airalo_place.description,
        now() + airalo_place.expected_within,
        'the order was sent, and its answer has not come', now() + airalo_place.expected_within)
    RETURNING id INTO row_id;
    RETURN row_id;
EXCEPTION WHEN unique_violation THEN
    RAISE 'an order with the description % is unknown still: Airalo may have taken it', airalo_place.description
        USING ERRCODE = 'HF006',
            HINT = 'Wait until it is found, or hookfast.airalo_forget it once you know that it was not taken.';
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_place IS 'Writes down an order that is about to be sent';
REVOKE ALL ON FUNCTION hookfast_data.airalo_place FROM PUBLIC;
