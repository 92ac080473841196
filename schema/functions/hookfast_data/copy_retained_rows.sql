-- This only reads, so it blocks neither the settling of deliveries of that day nor searches in all days. The copies are
-- not logged in WAL and are removed when this transaction ends, in any way.
CREATE OR REPLACE FUNCTION hookfast_data.copy_retained_rows(suffix text, lower uuid, upper uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET plan_cache_mode = force_custom_plan SET jit = off
    SET search_path = pg_catalog, pg_temp SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
DECLARE
    part text;
    stays bigint;
BEGIN
    -- Pending deliveries may get attempts meanwhile.
    CREATE UNLOGGED TABLE hookfast_data.leaving_survivors (id uuid PRIMARY KEY, pending boolean NOT NULL);
    INSERT INTO hookfast_data.leaving_survivors
    SELECT e.id, o.event_id IS NOT NULL
    FROM hookfast_data.retained_events(lower, upper, true) s JOIN hookfast_data.events e ON e.id = s.event_id
    LEFT JOIN (SELECT DISTINCT x.event_id FROM hookfast_data.outbox x
        WHERE x.event_id >= lower AND x.event_id < upper) o ON o.event_id = e.id;
    GET DIAGNOSTICS stays = ROW_COUNT;
    ANALYZE hookfast_data.leaving_survivors;
    FOREACH part IN ARRAY ARRAY['events', 'attempts', 'search_terms'] LOOP
        CONTINUE WHEN to_regclass('hookfast_data.' || part || '_' || suffix) IS NULL;
        EXECUTE format('CREATE UNLOGGED TABLE hookfast_data.%I (LIKE hookfast_data.%I)',
            'leaving_' || part, part || '_' || suffix);
        EXECUTE format('INSERT INTO hookfast_data.%I SELECT p.* FROM hookfast_data.%I p '
            'JOIN hookfast_data.leaving_survivors s ON s.id = p.%I',
            'leaving_' || part, part || '_' || suffix, CASE part WHEN 'events' THEN 'id' ELSE 'event_id' END);
    END LOOP;
    RETURN stays;
END $$;
COMMENT ON FUNCTION hookfast_data.copy_retained_rows IS
    'Copies the retained events, attempts and search terms of a day; returns how many events stay';
REVOKE ALL ON FUNCTION hookfast_data.copy_retained_rows FROM PUBLIC;
