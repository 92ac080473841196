-- Counts no further than the limit, so that the cost does not grow with the backlog.
-- No REVOKE: readers call it through the view hookfast.pending_counts.
CREATE OR REPLACE FUNCTION hookfast_data.waiting_up_to(handler smallint, most bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET search_path = pg_catalog, pg_temp SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
    SELECT count(*) FROM (SELECT FROM hookfast_data.outbox o
        WHERE o.handler_id = waiting_up_to.handler AND o.due_at = 'infinity' AND o.lease_id IS NULL
        ORDER BY o.id LIMIT most) x
$$;
COMMENT ON FUNCTION hookfast_data.waiting_up_to IS
    'The number of deliveries of a handler that wait for an earlier one of their key, up to a limit';
