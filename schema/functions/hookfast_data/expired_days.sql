-- The days that ended longer ago than the retention of events.
CREATE OR REPLACE FUNCTION hookfast_data.expired_days() RETURNS TABLE (day date, lower uuid, upper uuid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT d.day, hookfast_data.event_id_at(d.day::timestamp AT TIME ZONE 'UTC'),
        hookfast_data.event_id_at((d.day + 1)::timestamp AT TIME ZONE 'UTC')
    FROM (SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
        WHERE n.nspname = 'hookfast_data' AND p.relname = 'events') d
    CROSS JOIN (SELECT r.keep FROM hookfast_data.retention r WHERE r.class = 'events') r
    WHERE (d.day + 1)::timestamp AT TIME ZONE 'UTC' <= clock_timestamp() - r.keep ORDER BY d.day
$$;
COMMENT ON FUNCTION hookfast_data.expired_days IS 'The days whose events are past their retention';
REVOKE ALL ON FUNCTION hookfast_data.expired_days FROM PUBLIC;
