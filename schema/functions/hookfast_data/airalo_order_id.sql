CREATE OR REPLACE FUNCTION hookfast_data.airalo_order_id(outcome text, payload jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN coalesce(hookfast_data.airalo_text(hookfast_data.airalo_result(outcome, payload), 'id'),
        hookfast_data.airalo_text(payload -> 'data', 'id'));
COMMENT ON FUNCTION hookfast_data.airalo_order_id IS 'Airalo''s number of an order; null if its result has none';
REVOKE ALL ON FUNCTION hookfast_data.airalo_order_id FROM PUBLIC;
