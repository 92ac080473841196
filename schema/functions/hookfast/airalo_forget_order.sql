CREATE OR REPLACE FUNCTION hookfast.airalo_forget_order(description text, why text,
    source text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_forget_order.source);
    forgotten bigint;
BEGIN
    PERFORM hookfast_data.require_reason(airalo_forget_order.why);
    DELETE FROM hookfast_data.airalo_expected e
        WHERE e.source_id = of_source AND e.description = airalo_forget_order.description
        AND hookfast_data.airalo_state(e.id) IN ('expected', 'unknown');
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    IF forgotten = 0 THEN
        RAISE 'no order with the description % is expected; nothing was changed', airalo_forget_order.description
            USING ERRCODE = 'HF004',
                HINT = 'See hookfast.airalo_orders for orders that are expected, overdue or unknown.';
    END IF;
    PERFORM hookfast_data.log('airalo.order.forgotten', airalo_forget_order.description,
        jsonb_build_object('count', forgotten, 'why', airalo_forget_order.why));
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION hookfast.airalo_forget_order IS
    'Stops expecting results for orders with that description, for when no result will arrive. Returns how many '
    'orders it forgot';
REVOKE ALL ON FUNCTION hookfast.airalo_forget_order FROM PUBLIC;
