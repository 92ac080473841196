CREATE OR REPLACE FUNCTION hookfast.complete(lease_id bigint, delivery_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    delivery hookfast_data.outbox := hookfast_data.lock_pulled_delivery(complete.lease_id, complete.delivery_id);
    elapsed_ms numeric := (SELECT extract(epoch FROM clock_timestamp() - l.registered_at) * 1000
        FROM hookfast_data.leases l WHERE l.id = complete.lease_id);
BEGIN
    DELETE FROM hookfast_data.outbox o WHERE o.handler_id = delivery.handler_id AND o.id = delivery.id;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms,
        lease_id)
    SELECT delivery.event_id, delivery.id, delivery.attempt_number, delivery.handler_id, 'delivered',
        least(2147483647, elapsed_ms)::integer, complete.lease_id
    ON CONFLICT DO NOTHING;
    INSERT INTO hookfast_data.pending_counts (subject, counter)
    SELECT 'handler:' || h.name, c FROM hookfast_data.handlers h
    CROSS JOIN unnest(ARRAY['delivered', hookfast_data.duration_counter(elapsed_ms)]) c
    WHERE h.id = delivery.handler_id;
    IF delivery.ordering_key <> '' THEN
        PERFORM hookfast_data.make_next_due(delivery.handler_id, ARRAY[delivery.ordering_key]);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.complete IS
    'Settles a delivery as delivered, inside the transaction that did its work. Raises HF002 if the lease is lost: '
    'then roll back';
REVOKE ALL ON FUNCTION hookfast.complete FROM PUBLIC;
