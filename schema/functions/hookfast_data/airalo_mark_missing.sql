CREATE OR REPLACE FUNCTION hookfast_data.airalo_mark_missing(expected bigint, message text) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e record;
BEGIN
    UPDATE hookfast_data.airalo_expected x SET last_check_result = airalo_mark_missing.message,
        overdue_at = coalesce(x.overdue_at,
        clock_timestamp())
    FROM hookfast_data.sources s WHERE x.id = airalo_mark_missing.expected AND s.id = x.source_id
    RETURNING x.*, s.name AS source INTO e;
    RETURN CASE WHEN FOUND THEN hookfast_data.raise_alert('airalo.order.overdue', 'overdue:'
        || coalesce(e.request_id, 'expected:' || e.id),
        jsonb_build_object('request_id', e.request_id, 'description', e.description, 'placed_at', e.placed_at,
            'expected_by', e.expected_by,
            'unknown', e.request_id IS NULL, 'message', message), e.source) END;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_mark_missing IS
    'Records that an expected order was looked for and not found, and raises one alert';
REVOKE ALL ON FUNCTION hookfast_data.airalo_mark_missing FROM PUBLIC;
