-- The plan settings make it find the rows by their place, whatever the size of the outbox was when it was planned.
CREATE OR REPLACE FUNCTION hookfast.complete_many(lease_id bigint, delivery_ids bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    pulled record := hookfast_data.lock_pulled_deliveries(complete_many.lease_id, complete_many.delivery_ids);
    keys text[];
    completed bigint;
BEGIN
    IF pulled.held = '{}' THEN
        RETURN;
    END IF;
    WITH deleted AS (
        DELETE FROM hookfast_data.outbox o WHERE o.ctid = ANY (pulled.held)
        RETURNING o.event_id, o.id, o.attempt_number, o.ordering_key
    ),
    new_attempts AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms,
            lease_id)
        SELECT d.event_id, d.id, d.attempt_number, (pulled.handler).id, 'delivered',
            pulled.duration_ms, complete_many.lease_id
        FROM deleted d
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), array_agg(DISTINCT d.ordering_key) FILTER (WHERE d.ordering_key <> '')
        INTO completed, keys FROM deleted d;
    INSERT INTO hookfast_data.pending_counts (subject, counter, value)
    VALUES (pulled.subject, 'delivered', completed), (pulled.subject, pulled.took, completed);
    IF keys IS NOT NULL THEN
        PERFORM hookfast_data.make_next_due((pulled.handler).id, keys);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.complete_many IS
    'Settles deliveries as delivered, all or none, inside the transaction that did their work. Raises HF002 if the '
    'lease has lost one of them: then roll back';
REVOKE ALL ON FUNCTION hookfast.complete_many FROM PUBLIC;
