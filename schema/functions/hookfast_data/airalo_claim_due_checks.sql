CREATE OR REPLACE FUNCTION hookfast_data.airalo_claim_due_checks(sources smallint[], most bigint)
    RETURNS TABLE (id bigint, source text, request_id text, description text, placed_at timestamptz,
        expected_by timestamptz)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    of_sources smallint[];
    descriptions text[];
BEGIN
    WITH settled AS (
        -- These orders are not looked for any more.
        UPDATE hookfast_data.airalo_expected e SET check_at = NULL
        WHERE e.id IN (SELECT x.id FROM hookfast_data.airalo_expected x
            WHERE x.source_id = ANY (sources) AND x.check_at <= clock_timestamp()
                AND hookfast_data.airalo_state(x.id) IN ('completed', 'failed') FOR UPDATE SKIP LOCKED)
        RETURNING e.source_id, e.description
    )
    SELECT array_agg(s.source_id), array_agg(s.description) INTO of_sources, descriptions FROM settled s;
    PERFORM hookfast_data.airalo_lock(array_agg(hookfast_data.airalo_lock_name(u.of_source, 'description', u.named)))
        FROM unnest(of_sources, descriptions) u (of_source, named);
    PERFORM hookfast_data.airalo_flag_duplicates(u.of_source, u.named)
        FROM unnest(of_sources, descriptions) u (of_source, named);
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT e.id FROM hookfast_data.airalo_expected e
        WHERE e.source_id = ANY (sources) AND e.check_at <= clock_timestamp()
            AND hookfast_data.airalo_state(e.id) IN ('expected', 'unknown')
        ORDER BY e.check_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    -- The process schedules the next check when it has ended this one. If it crashes before, another process checks.
    UPDATE hookfast_data.airalo_expected e SET check_at = clock_timestamp() + interval '15 minutes'
    FROM due d, hookfast_data.sources s WHERE e.id = d.id AND s.id = e.source_id
    RETURNING e.id, s.name, e.request_id, e.description, e.placed_at, e.expected_by;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_claim_due_checks IS
    'Claims expected orders whose check is due, each for one process';
REVOKE ALL ON FUNCTION hookfast_data.airalo_claim_due_checks FROM PUBLIC;
