-- The dead letters that meet a filter. They are not locked: a dry run blocks nobody, and may run read-only.
CREATE OR REPLACE FUNCTION hookfast_data.matching_dead_letters(
    handler text, type text, died_after timestamptz, died_before timestamptz, error text, payload jsonpath,
    reason text)
    RETURNS TABLE (delivery_id bigint, event_id uuid, handler_id smallint, ordering_key text, erased boolean)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.delivery_id, d.event_id, d.handler_id, d.ordering_key, e.erased_at IS NOT NULL
    FROM hookfast_data.dead_letters d
    LEFT JOIN LATERAL (SELECT x.type, x.body, x.erased_at FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
    WHERE (matching_dead_letters.handler IS NULL OR d.handler_id =
        hookfast_data.handler_id(matching_dead_letters.handler))
        AND (matching_dead_letters.died_after IS NULL OR d.died_at >= matching_dead_letters.died_after)
        AND (matching_dead_letters.died_before IS NULL OR d.died_at < matching_dead_letters.died_before)
        AND (matching_dead_letters.reason IS NULL OR d.reason = matching_dead_letters.reason)
        AND (matching_dead_letters.error IS NULL OR d.last_error ILIKE matching_dead_letters.error)
        AND (matching_dead_letters.type IS NULL OR hookfast_data.type_matches(matching_dead_letters.type, e.type))
        AND (matching_dead_letters.payload IS NULL OR hookfast_data.payload_matches(e.body,
        matching_dead_letters.payload))
    ORDER BY d.delivery_id
$$;
COMMENT ON FUNCTION hookfast_data.matching_dead_letters IS
    'The dead letters that meet a filter, in the order of their ids';
REVOKE ALL ON FUNCTION hookfast_data.matching_dead_letters FROM PUBLIC;
