CREATE OR REPLACE FUNCTION hookfast.retention_preview()
    RETURNS TABLE (class text, day date, rows bigint, stays bigint, bytes bigint, purge_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    d record;
    not_before timestamptz;
BEGIN
    not_before := (SELECT hookfast_data.earliest_purge(r) FROM hookfast_data.retention r WHERE r.class = 'events');
    FOR d IN SELECT * FROM hookfast_data.expired_days() LOOP
        EXECUTE format('SELECT count(*) FROM hookfast_data.%I', 'events_' || to_char(d.day, 'YYYYMMDD')) INTO rows;
        class := 'events';
        day := d.day;
        stays := (SELECT count(*) FROM hookfast_data.retained_events(d.lower, d.upper, false));
        bytes := (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'hookfast_data' AND c.relname IN ('events_' || to_char(d.day, 'YYYYMMDD'), 'attempts_'
                || to_char(d.day, 'YYYYMMDD'), 'search_terms_' || to_char(d.day, 'YYYYMMDD')));
        purge_at := greatest(not_before, clock_timestamp());
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    SELECT r.class, NULL::date, CASE r.class
            WHEN 'keys' THEN (SELECT count(*) FROM hookfast_data.idempotency_keys k
                WHERE k.expires_at < clock_timestamp() - r.keep)
            WHEN 'dead_letters' THEN (SELECT count(*) FROM hookfast_data.dead_letters k
                WHERE k.died_at < clock_timestamp() - r.keep)
            ELSE (SELECT count(*) FROM hookfast_data.rollups k WHERE k.minute < clock_timestamp() - r.keep) END,
        0::bigint, NULL::bigint, greatest(hookfast_data.earliest_purge(r), clock_timestamp())
    FROM hookfast_data.retention r WHERE r.class IN ('keys', 'dead_letters', 'rollups') AND r.keep IS NOT NULL
        ORDER BY 1;
END $$;
COMMENT ON FUNCTION hookfast.retention_preview IS
    'A dry run of retention: what it would purge now, by class and, for events with their attempts, by day; how many '
    'of these events stay because they are pending, dead, under a retention hold or in conflict; and the earliest '
    'time of the purge. It changes nothing';
REVOKE ALL ON FUNCTION hookfast.retention_preview FROM PUBLIC;
