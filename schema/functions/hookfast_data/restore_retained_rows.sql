-- All slow work has been done before, because searches in all days wait from the second lock on. Returns false if an
-- event of the day has become part of a conflict meanwhile.
CREATE OR REPLACE FUNCTION hookfast_data.restore_retained_rows(suffix text, lower uuid, upper uuid, copied_since uuid)
    RETURNS boolean
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    part text;
    parts text[] := ARRAY(SELECT p FROM unnest(ARRAY['attempts', 'events', 'search_terms']) p
        WHERE to_regclass('hookfast_data.' || p || '_' || suffix) IS NOT NULL);
BEGIN
    -- From here on no transaction writes attempts of that day. Attempts stored since the copy belong to events that
    -- were pending, or that were dead and are not any more.
    IF 'attempts' = ANY (parts) THEN
        EXECUTE format('LOCK TABLE hookfast_data.%I IN SHARE MODE', 'attempts_' || suffix);
        EXECUTE format('INSERT INTO hookfast_data.leaving_attempts SELECT a.* FROM hookfast_data.leaving_survivors s '
            'JOIN hookfast_data.%I a ON a.event_id = s.id WHERE s.pending OR NOT EXISTS (SELECT FROM '
            'hookfast_data.dead_letters d WHERE d.event_id = s.id AND d.event_id >= $1 AND d.event_id < $2)',
            'attempts_' || suffix) USING lower, upper;
    END IF;
    PERFORM FROM hookfast_data.events e
    WHERE e.id > copied_since AND e.conflicts_with >= lower AND e.conflicts_with < upper
        AND EXISTS (SELECT FROM hookfast_data.events o WHERE o.id = e.conflicts_with AND o.id >= lower AND o.id < upper)
        AND NOT EXISTS (SELECT FROM hookfast_data.leaving_survivors s WHERE s.id = e.conflicts_with);
    IF FOUND THEN
        RETURN false;
    END IF;
    FOREACH part IN ARRAY parts LOOP
        EXECUTE format('LOCK TABLE hookfast_data.%I IN ACCESS EXCLUSIVE MODE', part || '_' || suffix);
    END LOOP;
    FOREACH part IN ARRAY parts LOOP
        EXECUTE format('TRUNCATE hookfast_data.%I', part || '_' || suffix);
        -- In the order of the primary key. Only attempts may have been copied twice.
        EXECUTE format('INSERT INTO hookfast_data.%I SELECT * FROM hookfast_data.%I ORDER BY %s',
            part || '_' || suffix, 'leaving_' || part, CASE part WHEN 'events' THEN 'id'
                WHEN 'attempts' THEN 'event_id ON CONFLICT DO NOTHING' ELSE 'term, event_id' END);
    END LOOP;
    RETURN true;
END $$;
COMMENT ON FUNCTION hookfast_data.restore_retained_rows IS
    'Truncates the tables of a day and restores the copied rows, under locks that block others';
REVOKE ALL ON FUNCTION hookfast_data.restore_retained_rows FROM PUBLIC;
