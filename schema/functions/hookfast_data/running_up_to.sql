-- Counts no further than the limit, so that the cost does not grow with the backlog.
-- No REVOKE: readers call it through the view hookfast.pending_counts.
CREATE OR REPLACE FUNCTION hookfast_data.running_up_to(handler smallint, most bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET search_path = pg_catalog, pg_temp SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
    -- Claims take deliveries from the beginning of these two indexes, and lease_id is in none.
    SELECT (SELECT count(*) FROM (SELECT o.lease_id FROM hookfast_data.outbox o
        WHERE o.handler_id = running_up_to.handler AND o.due_at IS NOT NULL AND o.due_at <= statement_timestamp()
        ORDER BY o.due_at, o.id LIMIT most) x WHERE x.lease_id IS NOT NULL)
        + (SELECT count(*) FROM (SELECT o.lease_id FROM hookfast_data.outbox o
        WHERE o.handler_id = running_up_to.handler AND o.due_at IS NULL AND o.ordering_key IS NULL
        ORDER BY o.id LIMIT most) x WHERE x.lease_id IS NOT NULL)
$$;
COMMENT ON FUNCTION hookfast_data.running_up_to IS
    'The number of running deliveries of a handler among as many that are due first';
