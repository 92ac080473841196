CREATE OR REPLACE FUNCTION hookfast_data.airalo_state(expected bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT coalesce((SELECT o.state FROM hookfast_data.airalo_orders o
        WHERE o.source_id = e.source_id AND (o.request_id = e.request_id OR e.request_id IS NULL
            AND o.description = e.description)
        ORDER BY o.rank DESC LIMIT 1), CASE WHEN e.unknown_why IS NULL THEN 'expected' ELSE 'unknown' END)
    FROM hookfast_data.airalo_expected e WHERE e.id = expected);
COMMENT ON FUNCTION hookfast_data.airalo_state IS
    'The state of an expected order: expected, unknown, failed or completed';
REVOKE ALL ON FUNCTION hookfast_data.airalo_state FROM PUBLIC;
