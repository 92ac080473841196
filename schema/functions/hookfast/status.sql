-- In PL/pgSQL, so that a session plans it once: planning takes longer than running. It calls no function of schema
-- hookfast_data, which its callers may not name.
CREATE OR REPLACE FUNCTION hookfast.status() RETURNS TABLE (area text, subject text, state text, message text)
    LANGUAGE plpgsql STABLE SET jit = off SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH tables AS MATERIALIZED (SELECT * FROM hookfast.storage)
    SELECT 'intake', 'ingress', CASE WHEN count(*) FILTER (WHERE p.not_ready IS NULL) = 0 THEN 'critical'
        WHEN count(*) FILTER (WHERE p.not_ready IS NOT NULL) > 0 THEN 'warning' ELSE 'ok' END,
        CASE WHEN count(*) = 0 THEN 'no live process receives webhooks' ELSE count(*) FILTER (WHERE p.not_ready IS NULL)
            || ' of ' || count(*)
                || CASE count(*) WHEN 1 THEN ' live process receives' ELSE ' live processes receive' END
                || ' webhooks' || coalesce('; ' || min(p.not_ready), '') END
    FROM hookfast.processes p WHERE p.alive AND 'ingress' = ANY (p.roles)
    UNION ALL
    SELECT 'intake', 'partitions', CASE WHEN t.newest_day > current_date + 2 THEN 'ok'
        WHEN t.newest_day >= current_date + 1 THEN 'warning' ELSE 'critical' END,
        coalesce('partitions exist up to ' || t.newest_day, 'there is no partition, so nothing can be stored')
    FROM (SELECT max(x.newest_day) AS newest_day FROM tables x WHERE x."table" = 'events') t
    UNION ALL
    SELECT 'source', s.source, CASE WHEN s.state = 'unconfigured' OR s.state = 'ok' AND NOT j.mostly_not_json THEN 'ok'
            WHEN s.state IN ('ok', 'all_rejected') THEN 'warning' ELSE 'critical' END,
        CASE s.state WHEN 'ok' THEN '' ELSE s.state || ': ' END
            || CASE WHEN j.mostly_not_json THEN 'most bodies are not JSON, so their payload is null: choose '
                'application/json in the sender''s settings; ' ELSE '' END
            || CASE s.state WHEN 'all_rejected' THEN 'the last '
                || s.rejected_in_a_row || CASE s.rejected_in_a_row WHEN 1 THEN ' request was rejected'
                    ELSE ' requests were rejected' END
                || ', and none was verified since; '
                WHEN 'unconfigured' THEN 'no live process has had it in its configuration since '
                || to_char(s.configured_at, 'YYYY-MM-DD HH24:MI') || '; ' ELSE '' END
            || coalesce('last event ' || to_char(s.last_event_at, 'YYYY-MM-DD HH24:MI'), 'no event yet') || ', '
            || s.last_hour || ' in the last hour'
            || coalesce(' (usually ' || s.usual_hour || ')', '') || CASE WHEN s.rejected_last_hour > 0
                THEN ', ' || s.rejected_last_hour || ' rejected' ELSE '' END
            || CASE WHEN s.conflicts_last_hour > 0
                THEN ', ' || s.conflicts_last_hour
                    || CASE s.conflicts_last_hour WHEN 1 THEN ' conflict' ELSE ' conflicts' END ELSE '' END
            || CASE WHEN s.quarantined > 0 THEN ', ' || s.quarantined || ' in quarantine' ELSE '' END
    FROM hookfast.source_health s
    CROSS JOIN LATERAL (SELECT s.not_json_last_hour >= 3
        AND 2 * s.not_json_last_hour > s.last_hour + s.duplicates_last_hour AS mostly_not_json) j
    WHERE s.kind <> 'hookfast'
    UNION ALL
    SELECT x.area, o.source, 'warning', x.message
    FROM hookfast.order_health o CROSS JOIN LATERAL (VALUES
        ('order', nullif(concat_ws(', ',
            CASE WHEN o.possible_double_purchases > 0
                THEN o.possible_double_purchases || CASE o.possible_double_purchases
                    WHEN 1 THEN ' possible double purchase' ELSE ' possible double purchases' END END,
            CASE WHEN o.overdue > 0 THEN o.overdue || ' overdue' END,
            CASE WHEN o.unknown > 0 THEN o.unknown || ' unknown' END), '') || ': see hookfast.airalo_orders'),
        ('conflict', nullif(o.conflicts, 0) || CASE o.conflicts WHEN 1 THEN ' conflict' ELSE ' conflicts' END
            || ' in the last seven days: see hookfast.conflicts')
        ) x (area, message)
    WHERE x.message IS NOT NULL
    UNION ALL
    SELECT 'routing', u.source, CASE WHEN sum(u.events) * 10 > max(u.of_events) THEN 'warning' ELSE 'ok' END,
        sum(u.events) || ' of the newest ' || max(u.of_events)
            || CASE max(u.of_events) WHEN 1 THEN ' event' ELSE ' events' END
            || ' of the last hour matched no handler: '
            || left(string_agg(u.type, ', ' ORDER BY u.events DESC, u.type), 200)
    FROM hookfast.unrouted u GROUP BY u.source
    UNION ALL
    SELECT 'handler', h.handler, CASE WHEN h.state IN ('ok', 'retired') AND h.dead_letters = 0 THEN 'ok'
        WHEN h.state IN ('ok', 'retired', 'paused', 'failing', 'behind', 'slow') THEN 'warning' ELSE 'critical' END,
        CASE WHEN h.state <> 'ok' THEN h.state || coalesce(': ' || h.why, '') || '; '
            WHEN h.dead_letters > 0 THEN d.dead_letters || '; ' ELSE '' END
            || CASE WHEN h.retired > 0 THEN h.retired
                || CASE h.retired WHEN 1 THEN ' pending delivery' ELSE ' pending deliveries' END
                || ' not run; ' ELSE '' END
            || CASE WHEN h.ready >= 10000 THEN 'at least ' ELSE '' END || h.ready || ' ready'
            || coalesce(' (oldest ' || date_trunc('second', h.oldest_ready_age) || ')', '')
            || ', ' || h.per_minute || ' a minute, ' || h.delivered_last_hour || ' delivered and '
            || h.failed_last_hour || ' failed in the last hour, '
            || d.dead_letters
    FROM hookfast.handler_health h CROSS JOIN LATERAL (SELECT h.dead_letters
        || CASE h.dead_letters WHEN 1 THEN ' dead letter' ELSE ' dead letters' END AS dead_letters) d
    WHERE h.state <> 'retired' OR h.retired > 0 OR h.dead_letters > 0
    UNION ALL
    SELECT 'replay', r.replay_id || ' to ' || r.handler, 'ok', r.state || ', ' || r.replayed || ' of ' || r.matching
    FROM hookfast.replays r WHERE r.state IN ('running', 'paused')
    UNION ALL
    SELECT 'search', x.source, 'ok', 'indexing stored events again by new search fields, newest first: '
        || x.events_read || coalesce(' of about ' || x.events_total, '') || ' read'
        || coalesce(', complete since ' || to_char(x.complete_since, 'YYYY-MM-DD HH24:MI'), '')
    FROM hookfast.reindexes x WHERE x.state <> 'done'
    UNION ALL
    SELECT 'storage', 'database', CASE WHEN max(t.oldest_snapshot_age) > 10000000 THEN 'warning' ELSE 'ok' END,
        pg_catalog.pg_size_pretty(sum(t.bytes)) || CASE WHEN max(t.oldest_snapshot_age) > 1000000
            THEN ', the oldest snapshot is ' || max(t.oldest_snapshot_age) || ' transactions old, held by '
                || max(t.oldest_snapshot_holder) ELSE '' END
    FROM tables t;
END $$;
COMMENT ON FUNCTION hookfast.status IS
    'Reports on one screen whether intake is safe and work is moving. state is ok, warning or critical';
REVOKE ALL ON FUNCTION hookfast.status FROM PUBLIC;
