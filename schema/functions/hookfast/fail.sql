CREATE OR REPLACE FUNCTION hookfast.fail(
    lease_id bigint, delivery_id bigint, error text, retry_after interval DEFAULT NULL,
        dead boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held hookfast_data.outbox := hookfast_data.lock_pulled_delivery(fail.lease_id, fail.delivery_id);
    handler hookfast_data.handlers := (SELECT h FROM hookfast_data.handlers h WHERE h.id = held.handler_id);
    gone text := CASE WHEN fail.dead THEN 'refused' WHEN held.attempts_left <= 1 THEN 'attempts_exhausted' END;
    failures integer := greatest(1, handler.max_attempts - held.attempts_left + 1);
    took numeric := (SELECT extract(epoch FROM clock_timestamp() - l.registered_at) * 1000
        FROM hookfast_data.leases l WHERE l.id = fail.lease_id);
BEGIN
    IF gone IS NULL THEN
        UPDATE hookfast_data.outbox o SET lease_id = NULL, attempts_left = o.attempts_left - 1,
            due_at = clock_timestamp() + greatest(hookfast_data.retry_delay(handler.retry, failures),
                coalesce(fail.retry_after, interval '0'))
        WHERE o.handler_id = held.handler_id AND o.id = held.id;
    ELSE
        DELETE FROM hookfast_data.outbox o WHERE o.handler_id = held.handler_id AND o.id = held.id;
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error, replay_id)
        VALUES (held.id, held.handler_id, held.event_id, held.attempt_number, held.lost, held.ordering_key, gone,
            left(fail.error, 2000), held.replay_id);
    END IF;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms,
        lease_id, error, error_kind)
    SELECT held.event_id, held.id, held.attempt_number, held.handler_id, CASE WHEN gone IS NULL THEN 'retry'
        ELSE 'dead' END,
        least(2147483647, took)::integer, fail.lease_id, left(fail.error, 2000), 'handler'
    ON CONFLICT DO NOTHING;
    INSERT INTO hookfast_data.pending_counts (subject, counter)
    SELECT 'handler:' || h.name, c FROM hookfast_data.handlers h
    CROSS JOIN unnest(ARRAY[CASE WHEN gone IS NULL THEN 'retry' ELSE 'dead' END,
        hookfast_data.duration_counter(took)]) c WHERE h.id = held.handler_id;
    IF gone IS NOT NULL AND held.ordering_key <> '' THEN
        PERFORM hookfast_data.make_next_due(held.handler_id, ARRAY[held.ordering_key]);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.fail IS
    'Settles an attempt as failed: the delivery is retried by the handler''s policy, not before retry_after, or '
    'becomes a dead letter if dead is true. Raises HF002 if the lease is lost';
REVOKE ALL ON FUNCTION hookfast.fail FROM PUBLIC;
