-- A result that conflicts with an earlier one writes the earlier one first, so both sets of names are locked together.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_lock_result(of_source smallint, event hookfast.event) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    WITH RECURSIVE results (outcome, payload, conflicts_with) AS (
        SELECT split_part(event.type, '.', 3), event.payload, event.conflicts_with
        UNION ALL
        SELECT split_part(e.type, '.', 3),
            coalesce(hookfast_data.as_jsonb(e.body), hookfast_data.readable_jsonb(e.body)), e.conflicts_with
        FROM results r JOIN hookfast_data.events e ON e.id = r.conflicts_with AND e.source_id = of_source
    )
    SELECT hookfast_data.airalo_lock(array_agg(n.name)) FROM results r
    CROSS JOIN LATERAL (
        SELECT hookfast_data.airalo_lock_name(of_source, 'request', hookfast_data.airalo_request_id(r.payload))
        UNION ALL
        SELECT hookfast_data.airalo_lock_name(of_source, 'order', hookfast_data.airalo_order_id(r.outcome, r.payload))
        UNION ALL
        -- A description that is not expected may be the same in every order.
        SELECT hookfast_data.airalo_lock_name(of_source, 'description', e.description)
        FROM hookfast_data.airalo_expected e WHERE e.source_id = of_source AND e.description
            = hookfast_data.airalo_text(hookfast_data.airalo_result(r.outcome, r.payload), 'description')
    ) n (name)
$$;
COMMENT ON FUNCTION hookfast_data.airalo_lock_result IS
    'Locks everything that the projection of a result reads and writes, until the end of the transaction';
REVOKE ALL ON FUNCTION hookfast_data.airalo_lock_result FROM PUBLIC;
