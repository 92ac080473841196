-- The row of a request, or of an order whose request is not known. If two rows turn out to be the same order, they are
-- merged. The locks make other transactions for this request or order wait.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_order_row(of_source smallint, of_request text,
    of_order text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    by_request bigint;
    by_order bigint;
BEGIN
    PERFORM hookfast_data.airalo_lock(ARRAY[hookfast_data.airalo_lock_name(of_source, 'request', of_request),
        hookfast_data.airalo_lock_name(of_source, 'order', of_order)]);
    SELECT o.id INTO by_request FROM hookfast_data.airalo_orders o
        WHERE o.source_id = of_source AND o.request_id = of_request FOR UPDATE;
    SELECT o.id INTO by_order FROM hookfast_data.airalo_orders o
    WHERE o.source_id = of_source AND o.order_id = of_order AND (o.request_id IS NULL OR of_request IS NULL)
        ORDER BY o.request_id, o.id LIMIT 1 FOR UPDATE;
    IF by_request IS NULL AND by_order IS NULL THEN
        -- An order that arrived as another result of a request belongs to that request.
        SELECT s.order_row INTO by_order FROM hookfast_data.airalo_sims s
            JOIN hookfast_data.airalo_orders o ON o.id = s.order_row
        WHERE s.source_id = of_source AND s.order_id = of_order AND (o.request_id IS NULL OR of_request IS NULL) LIMIT 1
            FOR UPDATE OF o;
    END IF;
    IF by_request IS NOT NULL AND by_order <> by_request THEN
        UPDATE hookfast_data.airalo_sims s SET order_row = by_request WHERE s.order_row = by_order;
        UPDATE hookfast_data.airalo_orders o SET conflicts = ARRAY(SELECT DISTINCT c
            FROM unnest(o.conflicts || d.conflicts) c ORDER BY 1)
        FROM hookfast_data.airalo_orders d WHERE o.id = by_request AND d.id = by_order;
        UPDATE hookfast_data.airalo_orders o SET (order_id, state, rank, code, package_id, package, description,
            quantity, validity_days,
            data, text, voice, currency, price, net_price, total_amount_paid, pricing_model, reason, ordered_at,
                event_id, received_at)
            = ROW (d.order_id, d.state, d.rank, d.code, d.package_id, d.package, d.description, d.quantity,
                d.validity_days,
            d.data, d.text, d.voice, d.currency, d.price, d.net_price, d.total_amount_paid, d.pricing_model, d.reason,
                d.ordered_at, d.event_id, d.received_at)
        FROM hookfast_data.airalo_orders d WHERE o.id = by_request AND d.id = by_order
            AND (d.rank > o.rank OR d.rank = o.rank AND d.event_id > o.event_id AND d.order_id = o.order_id);
        DELETE FROM hookfast_data.airalo_orders o WHERE o.id = by_order;
    END IF;
    RETURN coalesce(by_request, by_order);
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_order_row IS
    'The row of a request or an order, locked for this transaction; null if there is none';
REVOKE ALL ON FUNCTION hookfast_data.airalo_order_row FROM PUBLIC;
