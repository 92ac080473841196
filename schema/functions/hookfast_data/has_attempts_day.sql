-- Reads the catalog: a search for the event would open every day and wait for a lock on any of them.
CREATE OR REPLACE FUNCTION hookfast_data.has_attempts_day(event uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT coalesce((SELECT c.relispartition FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(
        'hookfast_data.attempts_' || to_char(hookfast_data.event_id_time(event) AT TIME ZONE 'UTC', 'YYYYMMDD'))),
            false)
$$;
COMMENT ON FUNCTION hookfast_data.has_attempts_day IS 'Whether attempts at the deliveries of an event can be stored';
REVOKE ALL ON FUNCTION hookfast_data.has_attempts_day FROM PUBLIC;
