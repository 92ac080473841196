-- Counts no further than the limit, so that the cost does not grow with the number of dead letters.
-- No REVOKE: readers call it through the view hookfast.handler_health.
CREATE OR REPLACE FUNCTION hookfast_data.dead_letters_up_to(handler smallint, most bigint) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET search_path = pg_catalog, pg_temp SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
    SELECT count(*) FROM (SELECT FROM hookfast_data.dead_letters d
        WHERE d.handler_id = dead_letters_up_to.handler ORDER BY d.died_at, d.delivery_id LIMIT most) x
$$;
COMMENT ON FUNCTION hookfast_data.dead_letters_up_to IS
    'The number of dead letters of a handler, up to a limit';
