CREATE OR REPLACE FUNCTION hookfast_data.airalo_link(of_source smallint, of_request text, of_order text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    IF of_request IS NOT NULL AND of_order IS NOT NULL THEN
        UPDATE hookfast_data.airalo_orders o SET request_id = of_request
            WHERE o.id = hookfast_data.airalo_order_row(of_source, of_request, of_order) AND o.request_id IS NULL;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_link IS
    'Records which request an order is the result of, if the order was found without its request. Has no effect if '
    'the order has not arrived yet';
REVOKE ALL ON FUNCTION hookfast_data.airalo_link FROM PUBLIC;
