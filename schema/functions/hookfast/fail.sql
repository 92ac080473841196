CREATE OR REPLACE FUNCTION hookfast.fail(
    lease_id bigint, delivery_id bigint, error text, retry_after interval DEFAULT NULL,
        dead boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    delivery hookfast_data.outbox := hookfast_data.lock_pulled_delivery(fail.lease_id, fail.delivery_id);
    handler hookfast_data.handlers := (SELECT h FROM hookfast_data.handlers h WHERE h.id = delivery.handler_id);
    dead_reason text := CASE WHEN fail.dead THEN 'rejected'
        WHEN delivery.attempts_left <= 1 THEN 'attempts_exhausted' END;
    failures integer := greatest(1, handler.max_attempts - delivery.attempts_left + 1);
    elapsed_ms numeric := (SELECT extract(epoch FROM clock_timestamp() - l.registered_at) * 1000
        FROM hookfast_data.leases l WHERE l.id = fail.lease_id);
BEGIN
    IF dead_reason IS NULL THEN
        UPDATE hookfast_data.outbox o SET lease_id = NULL, attempts_left = o.attempts_left - 1,
            due_at = clock_timestamp() + greatest(hookfast_data.retry_delay(handler.retry, failures),
                coalesce(fail.retry_after, interval '0'))
        WHERE o.handler_id = delivery.handler_id AND o.id = delivery.id;
    ELSE
        DELETE FROM hookfast_data.outbox o WHERE o.handler_id = delivery.handler_id AND o.id = delivery.id;
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error, replay_id)
        VALUES (delivery.id, delivery.handler_id, delivery.event_id, delivery.attempt_number, delivery.lost,
            delivery.ordering_key, dead_reason, left(fail.error, 2000), delivery.replay_id);
    END IF;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms,
        lease_id, error, error_kind)
    SELECT delivery.event_id, delivery.id, delivery.attempt_number, delivery.handler_id,
        CASE WHEN dead_reason IS NULL THEN 'retry' ELSE 'dead' END,
        least(2147483647, elapsed_ms)::integer, fail.lease_id, left(fail.error, 2000), 'handler'
    ON CONFLICT DO NOTHING;
    INSERT INTO hookfast_data.pending_counts (subject, counter)
    SELECT 'handler:' || h.name, c FROM hookfast_data.handlers h
    CROSS JOIN unnest(ARRAY[CASE WHEN dead_reason IS NULL THEN 'retry' ELSE 'dead' END,
        hookfast_data.duration_counter(elapsed_ms)]) c WHERE h.id = delivery.handler_id;
    IF dead_reason IS NOT NULL AND delivery.ordering_key <> '' THEN
        PERFORM hookfast_data.make_next_due(delivery.handler_id, ARRAY[delivery.ordering_key]);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.fail IS
    'Settles an attempt as failed: the delivery is retried by the handler''s policy, not before retry_after, or '
    'becomes a dead letter if dead is true. Raises HF002 if the lease is lost';
REVOKE ALL ON FUNCTION hookfast.fail FROM PUBLIC;
