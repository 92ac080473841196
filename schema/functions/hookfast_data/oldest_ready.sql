-- Reads the first entries of three indexes.
-- No REVOKE: readers call it through the view hookfast.handler_health.
CREATE OR REPLACE FUNCTION hookfast_data.oldest_ready(handler smallint) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET search_path = pg_catalog, pg_temp SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
    SELECT least(
        (SELECT o.due_at FROM hookfast_data.outbox o
        WHERE o.handler_id = oldest_ready.handler AND o.due_at IS NOT NULL AND o.due_at <= statement_timestamp()
            AND o.lease_id IS NULL ORDER BY o.due_at, o.id LIMIT 1),
        (SELECT hookfast_data.event_id_time(o.event_id) FROM hookfast_data.outbox o
        WHERE o.handler_id = oldest_ready.handler AND o.due_at IS NULL AND o.ordering_key IS NULL
            AND o.lease_id IS NULL ORDER BY o.id LIMIT 1),
        (SELECT hookfast_data.event_id_time(o.event_id) FROM hookfast_data.outbox o
        WHERE o.handler_id = oldest_ready.handler AND o.ordering_key = '' AND o.lease_id IS NULL
        ORDER BY o.id LIMIT 1))
$$;
COMMENT ON FUNCTION hookfast_data.oldest_ready IS
    'Since when the oldest ready delivery of a handler has been ready; null if none is ready';
