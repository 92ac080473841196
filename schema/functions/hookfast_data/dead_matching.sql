-- The dead letters that meet a filter. Not locked: who only looks is in nobody's way, and may be read-only.
CREATE OR REPLACE FUNCTION hookfast_data.dead_matching(
    handler text, type text, died_after timestamptz, died_before timestamptz, error text, payload jsonpath)
    RETURNS TABLE (delivery_id bigint, event_id uuid, handler_id smallint, ordering_key text, erased boolean)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.delivery_id, d.event_id, d.handler_id, d.ordering_key, e.erased_at IS NOT NULL
    FROM hookfast_data.dead_letters d
    LEFT JOIN LATERAL (SELECT x.type, x.body, x.erased_at FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
    WHERE (dead_matching.handler IS NULL OR d.handler_id = hookfast_data.handler_id(dead_matching.handler))
        AND (dead_matching.died_after IS NULL OR d.died_at >= dead_matching.died_after)
        AND (dead_matching.died_before IS NULL OR d.died_at < dead_matching.died_before)
        AND (dead_matching.error IS NULL OR d.last_error ILIKE dead_matching.error)
        AND (dead_matching.type IS NULL OR hookfast_data.type_matches(dead_matching.type, e.type))
        AND (dead_matching.payload IS NULL OR hookfast_data.payload_matches(e.body, dead_matching.payload))
    ORDER BY d.delivery_id
$$;
COMMENT ON FUNCTION hookfast_data.dead_matching IS 'The dead letters that meet a filter, in the order of their ids';
REVOKE ALL ON FUNCTION hookfast_data.dead_matching FROM PUBLIC;
