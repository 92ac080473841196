-- Reports each condition once, and again only after it has ended. Its end is reported too. One process evaluates at a
-- time.
CREATE OR REPLACE FUNCTION hookfast_data.evaluate_alerts() RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    raised bigint := 0;
    alert record;
    event uuid;
BEGIN
    IF NOT hookfast_data.try_lock('alerts') THEN
        RETURN 0;
    END IF;
    FOR alert IN
        WITH pending AS MATERIALIZED (
            SELECT h.name, h.kind, h.behind_after, hookfast_data.oldest_ready(h.id) AS ready_at,
                NOT EXISTS (SELECT FROM hookfast_data.leases l
                    WHERE l.expires_at > clock_timestamp() AND l.handlers @> ARRAY[h.id]) AS unserved
            FROM hookfast_data.handlers h WHERE h.paused_at IS NULL AND h.retired_at IS NULL
        ),
        conditions AS MATERIALIZED (
            SELECT 'hookfast.handler.paused' AS alert_type, h.name AS subject,
                jsonb_build_object('handler', h.name, 'since', h.paused_at, 'why', h.paused_why) AS payload,
                -- What a change of the condition changes: an alert that is muted is then open again.
                concat_ws(' ', extract(epoch FROM h.paused_at), h.paused_why) AS detail
            FROM hookfast_data.handlers h WHERE h.paused_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.opened', h.name,
                jsonb_build_object('handler', h.name, 'since', h.breaker_opened_at),
                extract(epoch FROM h.breaker_opened_at)::text
            FROM hookfast_data.handlers h WHERE h.breaker_opened_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.failing', h.name, jsonb_build_object('handler', h.name, 'reason', c.failing,
                'delivered_last_hour', c.delivered, 'failed_last_hour', c.failed),
                CASE WHEN c.delivered = 0 THEN 'all' ELSE 'some' END
            FROM hookfast_data.handlers h JOIN hookfast_data.handler_counts() c ON c.handler = h.name
            WHERE h.paused_at IS NULL AND h.retired_at IS NULL AND c.failing IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.unserved', o.name,
                jsonb_build_object('handler', o.name, 'kind', o.kind, 'oldest_ready_at', o.ready_at), ''
            FROM pending o WHERE o.unserved AND o.ready_at < clock_timestamp()
                - CASE WHEN o.kind = 'pull' THEN interval '5 minutes' ELSE interval '1 minute' END
            UNION ALL
            SELECT 'hookfast.handler.behind', o.name, jsonb_build_object('handler', o.name, 'kind', o.kind,
                'oldest_ready_at', o.ready_at, 'behind_after', o.behind_after),
                -- Each time that it has doubled.
                floor(log(2, greatest(1, extract(epoch FROM clock_timestamp() - o.ready_at)
                    / greatest(1, extract(epoch FROM o.behind_after)))))::text
            FROM pending o WHERE o.ready_at < clock_timestamp() - o.behind_after
            UNION ALL
            SELECT 'hookfast.source.' || s.state, s.source,
                jsonb_build_object('source', s.source, 'last_event_at', s.last_event_at,
                'last_hour', s.last_hour, 'usual_hour', s.usual_hour, 'rejects_by_reason', s.rejects_by_reason),
                (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(s.rejects_by_reason) k)
            FROM hookfast.source_health s WHERE s.state IN ('silent', 'rejecting') AND s.kind <> 'hookfast'
            UNION ALL
            -- A single burst does not count, since any outsider can send one.
            SELECT 'hookfast.source.all_rejected', s.source, jsonb_build_object('source', s.source,
                'last_event_at', s.last_event_at, 'requests', s.rejected_in_a_row, 'since', s.rejected_since,
                'rejects_by_reason', s.rejects_by_reason),
                (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(s.rejects_by_reason) k)
            FROM hookfast.source_health s WHERE s.rejected_in_a_row >= 3 AND s.kind <> 'hookfast'
                AND s.state <> 'unconfigured'
                AND s.rejected_until >= s.rejected_since + interval '15 minutes'
            UNION ALL
            SELECT 'hookfast.source.unrouted', u.source, jsonb_build_object('source', u.source,
                'events', sum(u.events), 'of_events', max(u.of_events),
                'types', (array_agg(u.type ORDER BY u.events DESC, u.type))[:20]),
                string_agg(u.type, ' ' ORDER BY u.type)
            FROM hookfast.unrouted u GROUP BY u.source
            HAVING sum(u.events) >= 10 AND sum(u.events) * 10 > max(u.of_events)
            UNION ALL
            SELECT 'hookfast.quarantine.full', s.name, jsonb_build_object('source', s.name,
                'rows', (SELECT count(*) FROM hookfast_data.quarantine q WHERE q.source_id = s.id AND q.responded_ok),
                'no_room', r.no_room, 'too_fast', r.too_fast), ''
            FROM hookfast_data.sources s CROSS JOIN LATERAL (
                SELECT sum(x.value) FILTER (WHERE x.counter = 'quarantine_full') AS no_room,
                    sum(x.value) FILTER (WHERE x.counter = 'quarantine_busy') AS too_fast
                FROM hookfast_data.rollups x WHERE x.subject = 'source:' || s.name
                    AND x.counter IN ('quarantine_full', 'quarantine_busy')
                    AND x.minute > clock_timestamp() - interval '10 minutes') r
            WHERE num_nonnulls(r.no_room, r.too_fast) > 0
        ),
        ended AS (
            DELETE FROM hookfast_data.active_alerts c WHERE NOT EXISTS (SELECT FROM conditions w
                WHERE w.alert_type = c.alert_type
                AND w.subject = c.subject)
            RETURNING c.alert_type, c.subject, c.since
        ),
        changed AS (
            UPDATE hookfast_data.active_alerts c SET detail = coalesce(w.detail, ''), muted_at = NULL, muted_by = NULL,
                muted_why = NULL
            FROM conditions w WHERE w.alert_type = c.alert_type AND w.subject = c.subject
                AND c.detail <> coalesce(w.detail, '')
        ),
        new AS (
            INSERT INTO hookfast_data.active_alerts (alert_type, subject, detail)
            SELECT w.alert_type, w.subject, coalesce(w.detail, '') FROM conditions w
            -- One cause raises one alert. The other alert follows if the condition outlasts the first.
            WHERE NOT EXISTS (SELECT FROM conditions x WHERE x.subject = w.subject AND CASE w.alert_type
                WHEN 'hookfast.handler.failing' THEN x.alert_type = 'hookfast.handler.opened'
                WHEN 'hookfast.handler.behind' THEN x.alert_type IN ('hookfast.handler.opened',
                    'hookfast.handler.unserved')
                WHEN 'hookfast.source.all_rejected' THEN x.alert_type = 'hookfast.source.rejecting' ELSE false END)
            ON CONFLICT DO NOTHING RETURNING alert_type, subject, since
        )
        SELECT n.alert_type, n.subject, n.alert_type || ':' || n.subject || ':' || extract(epoch FROM n.since) AS key,
            w.payload
            FROM new n
            JOIN conditions w ON w.alert_type = n.alert_type AND w.subject = n.subject
        UNION ALL
        SELECT 'hookfast.resolved', NULL, 'resolved:' || e.alert_type || ':' || e.subject || ':' || extract(epoch
            FROM e.since),
            jsonb_build_object('type', e.alert_type, 'since', e.since,
                CASE WHEN e.alert_type LIKE 'hookfast.handler.%' THEN 'handler' ELSE 'source' END, e.subject)
        FROM ended e
    LOOP
        event := hookfast_data.raise_alert(alert.alert_type, alert.key, alert.payload);
        UPDATE hookfast_data.active_alerts c SET event_id = event
            WHERE c.alert_type = alert.alert_type AND c.subject = alert.subject;
        raised := raised + 1;
    END LOOP;
    -- Reads lost attempts, because the lease itself is deleted by now. Lost attempts at delivering an alert do not
    -- count, or a handler that crashes on alerts would get another alert each time.
    FOR alert IN
        SELECT a.lease_id, h.name AS handler, count(*) AS deliveries, max(a.finished_at) AS at
        FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
        -- The duration of an attempt is unknown if its worker died. If only the connection broke, the lease is still
        -- valid.
        WHERE a.outcome = 'lost' AND a.outcome IN ('retry', 'dead', 'lost') AND a.duration_ms IS NULL
            AND a.finished_at > clock_timestamp() - interval '10 minutes'
            AND NOT EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = a.event_id AND e.origin = 'hookfast')
        GROUP BY 1, 2
    LOOP
        raised := raised + (hookfast_data.raise_alert('hookfast.lease.lost',
            'lease:' || coalesce(alert.lease_id, 0) || ':' || alert.handler,
            jsonb_build_object('lease_id', alert.lease_id, 'handler', alert.handler, 'deliveries', alert.deliveries,
                'at', alert.at)) IS NOT NULL)::integer;
    END LOOP;
    RETURN raised;
END $$;
COMMENT ON FUNCTION hookfast_data.evaluate_alerts IS
    'Raises alerts about new problems and about problems that have ended; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.evaluate_alerts FROM PUBLIC;
