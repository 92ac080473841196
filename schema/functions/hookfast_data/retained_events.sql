-- An event is retained if it is pending, dead, under a retention hold, part of a retained conflict, or still to be read
-- by a replay.
CREATE OR REPLACE FUNCTION hookfast_data.retained_events(lower uuid, upper uuid, of_retired boolean)
    RETURNS TABLE (event_id uuid)
    LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT o.event_id FROM hookfast_data.outbox o WHERE o.event_id >= lower AND o.event_id < upper
        AND (of_retired OR o.lease_id IS NOT NULL OR o.handler_id NOT IN (
            SELECT h.id FROM hookfast_data.handlers h WHERE h.retired_at IS NOT NULL))
    UNION SELECT d.event_id FROM hookfast_data.dead_letters d WHERE d.event_id >= lower AND d.event_id < upper
    UNION SELECT h.event_id FROM hookfast_data.retention_holds h WHERE h.event_id >= lower AND h.event_id < upper
    UNION SELECT e.id FROM hookfast_data.events e, hookfast_data.retention r
        WHERE e.id >= lower AND e.id < upper AND e.conflicts_with IS NOT NULL AND r.class = 'conflicts'
            AND (r.keep IS NULL OR hookfast_data.event_id_time(e.id) > clock_timestamp() - r.keep)
    -- The first event of a pair may belong to an earlier day than the conflict.
    UNION SELECT e.conflicts_with FROM hookfast_data.events e, hookfast_data.retention r
        WHERE e.id >= lower AND e.conflicts_with >= lower AND e.conflicts_with < upper AND r.class = 'conflicts'
            AND (r.keep IS NULL OR hookfast_data.event_id_time(e.id) > clock_timestamp() - r.keep)
    UNION SELECT e.id FROM hookfast_data.events e JOIN hookfast_data.replays r
        ON e.id > r.cursor_id AND e.id < r.end_id AND r.state IN ('running', 'paused')
        WHERE e.id >= lower AND e.id < upper
$$;
COMMENT ON FUNCTION hookfast_data.retained_events IS
    'The events between two ids that retention keeps; without of_retired, a pending delivery of a retired handler '
    'does not keep its event';
REVOKE ALL ON FUNCTION hookfast_data.retained_events FROM PUBLIC;
