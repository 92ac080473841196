CREATE OR REPLACE FUNCTION hookfast.airalo_results_since(before timestamptz, most bigint) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT coalesce((SELECT o.received_at FROM hookfast_data.airalo_orders o
        WHERE o.received_at < airalo_results_since.before
        ORDER BY o.received_at DESC OFFSET greatest(airalo_results_since.most, 1) - 1 LIMIT 1), '-infinity')
$$;
COMMENT ON FUNCTION hookfast.airalo_results_since IS
    'The time of the oldest among the newest results of orders before a time. As a bound on received_at it selects '
    'the newest orders without reading the others';
REVOKE ALL ON FUNCTION hookfast.airalo_results_since FROM PUBLIC;
