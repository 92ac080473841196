-- The plan settings make it find the rows by their place, whatever the size of the outbox was when it was planned.
CREATE OR REPLACE FUNCTION hookfast.fail_many(
    lease_id bigint, delivery_ids bigint[], error text, retry_after interval DEFAULT NULL,
        dead boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    pulled record := hookfast_data.lock_pulled_deliveries(fail_many.lease_id, fail_many.delivery_ids);
    is_rejected boolean := coalesce(fail_many.dead, false);
    keys text[];
    retried bigint;
    died bigint;
BEGIN
    IF pulled.held = '{}' THEN
        RETURN;
    END IF;
    WITH again AS (
        UPDATE hookfast_data.outbox o SET lease_id = NULL, attempts_left = o.attempts_left - 1,
            due_at = clock_timestamp() + greatest(coalesce(fail_many.retry_after, interval '0'),
                hookfast_data.retry_delay((pulled.handler).retry,
                    greatest(1, (pulled.handler).max_attempts - o.attempts_left + 1)))
        WHERE o.ctid = ANY (pulled.held) AND o.attempts_left > 1 AND NOT is_rejected
        RETURNING o.event_id, o.id, o.attempt_number
    ),
    deleted AS (
        DELETE FROM hookfast_data.outbox o WHERE o.ctid = ANY (pulled.held) AND (o.attempts_left <= 1 OR is_rejected)
        RETURNING o.event_id, o.id, o.attempt_number, o.lost, o.ordering_key, o.replay_id
    ),
    new_dead_letters AS (
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error, replay_id)
        SELECT d.id, (pulled.handler).id, d.event_id, d.attempt_number, d.lost, d.ordering_key,
            CASE WHEN is_rejected THEN 'rejected' ELSE 'attempts_exhausted' END, left(fail_many.error, 2000),
            d.replay_id
        FROM deleted d
    ),
    new_attempts AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms,
            lease_id, error, error_kind)
        SELECT x.event_id, x.id, x.attempt_number, (pulled.handler).id, x.outcome,
            pulled.duration_ms, fail_many.lease_id, left(fail_many.error, 2000), 'handler'
        FROM (SELECT a.event_id, a.id, a.attempt_number, 'retry' AS outcome FROM again a
            UNION ALL SELECT d.event_id, d.id, d.attempt_number, 'dead' FROM deleted d) x
        ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*) FROM again), count(*),
            array_agg(DISTINCT d.ordering_key) FILTER (WHERE d.ordering_key <> '')
        INTO retried, died, keys FROM deleted d;
    INSERT INTO hookfast_data.pending_counts (subject, counter, value)
    SELECT pulled.subject, c.counter, c.value
    FROM (VALUES ('retry', retried), ('dead', died), (pulled.took, retried + died)) c (counter, value)
    WHERE c.value > 0;
    IF keys IS NOT NULL THEN
        PERFORM hookfast_data.make_next_due((pulled.handler).id, keys);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.fail_many IS
    'Settles attempts as failed, all or none, for one reason: each delivery is retried by the handler''s policy, not '
    'before retry_after, or becomes a dead letter if dead is true. Raises HF002 if the lease has lost one of them';
REVOKE ALL ON FUNCTION hookfast.fail_many FROM PUBLIC;
