-- What is wrong now. A condition is told once, and again only after it has ended; one process looks at a time.
CREATE OR REPLACE FUNCTION hookfast_data.watch() RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told bigint := 0;
    began record;
BEGIN
    IF NOT hookfast_data.try_lock('watch') THEN
        RETURN 0;
    END IF;
    FOR began IN
        WITH wrong AS MATERIALIZED (
            SELECT 'hookfast.handler.paused' AS news, h.name AS subject,
                jsonb_build_object('handler', h.name, 'since', h.paused_at, 'why', h.paused_why) AS payload
            FROM hookfast_data.handlers h WHERE h.paused_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.opened', h.name,
                jsonb_build_object('handler', h.name, 'since', h.breaker_opened_at)
            FROM hookfast_data.handlers h WHERE h.breaker_opened_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.unserved', h.name,
                jsonb_build_object('handler', h.name, 'kind', h.kind, 'oldest_ready_at', o.ready_at)
            FROM hookfast_data.handlers h
            CROSS JOIN LATERAL (SELECT least(
                (SELECT x.due_at FROM hookfast_data.outbox x WHERE x.handler_id = h.id AND x.due_at <= clock_timestamp()
                    AND x.due_at IS NOT NULL AND x.locked_by IS NULL ORDER BY x.due_at LIMIT 1),
                (SELECT hookfast_data.id_time(x.event_id) FROM hookfast_data.outbox x WHERE x.handler_id = h.id
                    AND x.due_at IS NULL AND x.locked_by IS NULL ORDER BY x.id LIMIT 1)) AS ready_at) o
            WHERE h.paused_at IS NULL AND NOT EXISTS (SELECT FROM hookfast_data.leases l
                WHERE l.expires_at > clock_timestamp() AND l.handlers @> ARRAY[h.id])
                AND o.ready_at < clock_timestamp() - CASE WHEN h.kind = 'pull' THEN interval '5 minutes'
                    ELSE interval '1 minute' END
            UNION ALL
            SELECT 'hookfast.source.' || s.state, s.source,
                jsonb_build_object('source', s.source, 'last_event_at', s.last_event_at,
                'last_hour', s.last_hour, 'usual_hour', s.usual_hour, 'rejects_by_reason', s.rejects_by_reason)
            FROM hookfast.source_health s WHERE s.state IN ('silent', 'rejecting') AND s.kind <> 'hookfast'
            UNION ALL
            SELECT 'hookfast.quarantine.full', s.name, jsonb_build_object('source', s.name,
                'rows', (SELECT count(*) FROM hookfast_data.quarantine q WHERE q.source_id = s.id AND q.answered))
            FROM hookfast_data.sources s WHERE EXISTS (SELECT FROM hookfast_data.rollups r WHERE r.subject = 'source:'
                || s.name
                AND r.counter = 'quarantine_full' AND r.minute > clock_timestamp() - interval '10 minutes')
        ),
        ended AS (
            DELETE FROM hookfast_data.conditions c WHERE NOT EXISTS (SELECT FROM wrong w WHERE w.news = c.news
                AND w.subject = c.subject)
        ),
        new AS (
            INSERT INTO hookfast_data.conditions (news, subject) SELECT w.news, w.subject FROM wrong w
            ON CONFLICT DO NOTHING RETURNING news, subject, since
        )
        SELECT n.news, n.subject, n.since, w.payload FROM new n
            JOIN wrong w ON w.news = n.news AND w.subject = n.subject
    LOOP
        PERFORM hookfast_data.raise_news(began.news,
            began.news || ':' || began.subject || ':' || extract(epoch FROM began.since), began.payload);
        told := told + 1;
    END LOOP;
    -- By the attempts that were lost: the lease itself is gone by now. Of a news that was lost there is none, or a
    -- handler that dies of news would get one more each time.
    FOR began IN
        SELECT a.lease_id, h.name AS handler, count(*) AS deliveries, max(a.finished_at) AS at
        FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
        WHERE a.outcome = 'lost' AND a.outcome IN ('retry', 'dead', 'lost')
            AND a.finished_at > clock_timestamp() - interval '10 minutes'
            AND NOT EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = a.event_id AND e.origin = 'hookfast')
        GROUP BY 1, 2
    LOOP
        told := told + (hookfast_data.raise_news('hookfast.lease.lost', 'lease:' || coalesce(began.lease_id, 0) || ':'
            || began.handler,
            jsonb_build_object('lease_id', began.lease_id, 'handler', began.handler, 'deliveries', began.deliveries,
                'at', began.at)) IS NOT NULL)::integer;
    END LOOP;
    RETURN told;
END $$;
COMMENT ON FUNCTION hookfast_data.watch IS
    'Looks for what is wrong, and raises the news of what was not before; answers with how many';
REVOKE ALL ON FUNCTION hookfast_data.watch FROM PUBLIC;
