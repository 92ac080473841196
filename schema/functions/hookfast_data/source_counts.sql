-- No REVOKE: readers call it through the view hookfast.source_health, and cannot call functions of this schema by name.
CREATE OR REPLACE FUNCTION hookfast_data.source_counts(of_source text)
    RETURNS TABLE (last_event_at timestamptz, last_hour bigint, usual_hour numeric, usual_since_last numeric,
        duplicates bigint, conflicts bigint, rejected bigint, rejects jsonb, stored_15 bigint, rejected_15 bigint,
        rejected_in_a_row bigint, rejected_since timestamptz, rejected_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    WITH last AS (
        SELECT (SELECT r.minute FROM hookfast_data.rollups r
            WHERE r.subject = 'source:' || of_source AND r.counter = 'stored' ORDER BY r.minute DESC LIMIT 1) AS at
    ),
    -- Counts are kept by the minute, so requests in the minute of the last genuine one are not counted.
    in_a_row AS MATERIALIZED (
        SELECT sum(r.value)::bigint AS requests, min(r.minute) AS since, max(r.minute) AS until
        FROM hookfast_data.rollups r
        WHERE r.subject = 'source:' || of_source AND r.counter = ANY (hookfast_data.reject_counters())
            AND r.minute > statement_timestamp() - interval '1 day'
            AND r.minute > coalesce((SELECT max(g.minute) FROM unnest('{stored,conflict,duplicate}'::text[]) c (counter)
                CROSS JOIN LATERAL (SELECT x.minute FROM hookfast_data.rollups x
                    WHERE x.subject = 'source:' || of_source AND x.counter = c.counter
                    ORDER BY x.minute DESC LIMIT 1) g), '-infinity')
    ),
    hour AS MATERIALIZED (
        SELECT r.minute, r.counter, r.value FROM hookfast_data.rollups r
        WHERE r.subject = 'source:' || of_source AND r.minute > statement_timestamp() - interval '1 hour'
    )
    SELECT l.at,
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter IN ('stored', 'conflict')),
        hookfast_data.typical_count('source:' || of_source, statement_timestamp() - interval '1 hour',
            statement_timestamp()),
        hookfast_data.typical_count('source:' || of_source,
            greatest(l.at + interval '1 minute', statement_timestamp() - interval '1 day'), statement_timestamp()),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter = 'duplicate'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter = 'conflict'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE hookfast_data.is_reject(h.counter)),
        (SELECT coalesce(jsonb_object_agg(x.counter, x.value), '{}') FROM (
            SELECT h.counter, sum(h.value) AS value FROM hour h WHERE hookfast_data.is_reject(h.counter) GROUP BY 1) x),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter IN ('stored', 'conflict', 'duplicate')
            AND h.minute > statement_timestamp() - interval '15 minutes'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h
            WHERE hookfast_data.is_reject(h.counter) AND h.minute > statement_timestamp() - interval '15 minutes'),
        coalesce(i.requests, 0),
        i.since,
        i.until
    FROM last l CROSS JOIN in_a_row i
$$;
COMMENT ON FUNCTION hookfast_data.source_counts IS 'The counts of a source in the rollups';
