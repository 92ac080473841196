CREATE OR REPLACE FUNCTION hookfast.airalo_check_order(description text, why text,
    source text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_check_order.source);
    due bigint;
BEGIN
    PERFORM hookfast_data.require_reason(airalo_check_order.why);
    UPDATE hookfast_data.airalo_expected e SET check_at = clock_timestamp()
        WHERE e.source_id = of_source AND e.description = airalo_check_order.description
        AND hookfast_data.airalo_state(e.id) IN ('expected', 'unknown');
    GET DIAGNOSTICS due = ROW_COUNT;
    IF due = 0 THEN
        RAISE 'no order with the description % is expected; nothing was changed', airalo_check_order.description
            USING ERRCODE = 'HF004',
                HINT = 'See hookfast.airalo_orders for orders that are expected, overdue or unknown.';
    END IF;
    PERFORM hookfast_data.log('airalo.order.check_requested', airalo_check_order.description,
        jsonb_build_object('count', due, 'why', airalo_check_order.why));
    RETURN due;
END $$;
COMMENT ON FUNCTION hookfast.airalo_check_order IS
    'Has a worker look for the result of expected orders with that description in Airalo''s list, at its next round '
    'instead of at the planned time. Returns how many orders it looks for';
REVOKE ALL ON FUNCTION hookfast.airalo_check_order FROM PUBLIC;
