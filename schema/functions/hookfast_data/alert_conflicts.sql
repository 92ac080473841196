-- Uses the partial index of conflicts, and runs apart from the indexing of search terms, so that alerts do not wait for
-- that.
CREATE OR REPLACE FUNCTION hookfast_data.alert_conflicts(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    since uuid;
    bound uuid;
    conflicts uuid[];
BEGIN
    SELECT d.upto INTO since FROM hookfast_data.event_cursors d WHERE d.reader = 'conflicts'
        FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    bound := hookfast_data.committed_up_to();
    conflicts := ARRAY(SELECT e.id FROM hookfast_data.events e
        WHERE e.conflicts_with IS NOT NULL AND e.id > since AND e.id < bound ORDER BY e.id LIMIT most);
    PERFORM hookfast_data.conflict_alert(c) FROM unnest(conflicts) c;
    -- The cursor does not move at each step, but it moves far enough that no partition of an earlier day is opened.
    IF cardinality(conflicts) > 0
        OR hookfast_data.event_id_time(since) < hookfast_data.event_id_time(bound) - interval '1 minute' THEN
        UPDATE hookfast_data.event_cursors d
        SET upto = CASE WHEN cardinality(conflicts) = most THEN conflicts[most] ELSE greatest(bound, since) END
        WHERE d.reader = 'conflicts';
    END IF;
    RETURN cardinality(conflicts);
END $$;
COMMENT ON FUNCTION hookfast_data.alert_conflicts IS
    'Raises alerts about new conflicts, up to a limit; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.alert_conflicts FROM PUBLIC;
