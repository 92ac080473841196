CREATE OR REPLACE FUNCTION hookfast.airalo_expect_order(
    request_id text, description text, expected_within interval DEFAULT '30 minutes', source text DEFAULT NULL)
    RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_expect_order.source);
    row_id bigint;
BEGIN
    IF coalesce(airalo_expect_order.request_id, '') = '' OR length(airalo_expect_order.request_id) > 200
        OR coalesce(airalo_expect_order.description, '') = '' OR length(airalo_expect_order.description) > 200
        OR airalo_expect_order.expected_within IS NULL OR airalo_expect_order.expected_within <= interval '0'
    THEN
        RAISE 'request_id and description must have 1 to 200 characters, and expected_within must be positive; nothing '
            'was changed'
            USING ERRCODE = '22023',
                HINT = 'request_id is in the response of POST /v2/orders-async. description is that of the order: a '
                'number of your own.';
    END IF;
    INSERT INTO hookfast_data.airalo_expected AS e (source_id, request_id, description, expected_by, check_at)
    VALUES (of_source, airalo_expect_order.request_id, airalo_expect_order.description,
        now() + airalo_expect_order.expected_within,
        now() + airalo_expect_order.expected_within)
    ON CONFLICT (source_id, request_id) DO UPDATE SET description = excluded.description RETURNING e.id INTO row_id;
    RETURN hookfast_data.airalo_state(row_id);
END $$;
COMMENT ON FUNCTION hookfast.airalo_expect_order IS
    'Records that the result of an asynchronous order is expected, in the transaction that records the order. '
    'Returns completed or failed if the result has already arrived, else expected. An overdue order is looked for in '
    'Airalo''s list of orders by its description, and reported as airalo.order.overdue';
REVOKE ALL ON FUNCTION hookfast.airalo_expect_order FROM PUBLIC;
