-- Hookfast's own events: source hookfast, stored and routed like any other, to handlers that name them.

INSERT INTO hookfast_data.sources (name, kind, secret_fields) VALUES ('hookfast', 'hookfast', '{why,error}')
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, secret_fields = excluded.secret_fields;

CREATE TABLE hookfast_data.news_types (
    type text PRIMARY KEY,
    says text NOT NULL
);
COMMENT ON TABLE hookfast_data.news_types IS 'The types of news. docs/RUNBOOK.md has a section for each';
COMMENT ON COLUMN hookfast_data.news_types.type IS 'The event''s type';
COMMENT ON COLUMN hookfast_data.news_types.says IS 'What it says';
INSERT INTO hookfast_data.news_types VALUES
    ('hookfast.delivery.dead', 'a delivery is a dead letter: one news each'),
    ('hookfast.handler.paused', 'a handler is paused, by an operator or since it answered 410'),
    ('hookfast.handler.opened', 'a handler''s circuit breaker is open: it is unavailable, and its deliveries wait'),
    ('hookfast.handler.unserved', 'a handler''s deliveries have been ready for a minute, and no live worker serves it'),
    ('hookfast.source.silent', 'a source has sent nothing for longer than is usual at this time of the day'),
    ('hookfast.source.rejecting', 'most of a source''s requests fail verification'),
    ('hookfast.lease.lost', 'a worker or a pulling client went away with deliveries in its hands'),
    ('hookfast.conflict', 'an event has another''s key and other content: a possible double purchase'),
    ('hookfast.quarantine.full', 'a source''s quarantine is full, and its requests with a wrong signature are answered 503'),
    ('hookfast.retention.announced', 'something is about to be dropped by retention for the first time');

CREATE VIEW hookfast.news AS
SELECT e.event_id, e.type, e.received_at, n.says, e.payload FROM hookfast.events e JOIN hookfast_data.news_types n ON n.type = e.type
WHERE e.origin = 'hookfast';
COMMENT ON VIEW hookfast.news IS 'Hookfast''s own events: what an operator should know. Subscribe a handler to hookfast.* to be told';

-- The key makes one thing one news. Due from the transaction's beginning, as what is enqueued.
CREATE FUNCTION hookfast_data.raise_news(type text, key text, payload jsonb, source text DEFAULT 'hookfast') RETURNS uuid
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    event uuid := hookfast_data.new_event_id();
    taken uuid;
BEGIN
    PERFORM FROM hookfast_data.news_types n WHERE n.type = raise_news.type;
    IF NOT FOUND THEN
        RAISE 'no news is of type %', raise_news.type;
    END IF;
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, expires_at)
    SELECT s.id, left(raise_news.key, 200), event, now() + interval '90 days' FROM hookfast_data.sources s WHERE s.name = raise_news.source
    ON CONFLICT (source_id, key) DO NOTHING RETURNING k.event_id INTO taken;
    IF taken IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO hookfast_data.events (id, source_id, registry_version, type, origin, idempotency_key, headers, body)
    SELECT event, s.id, r.version, raise_news.type, 'hookfast', left(raise_news.key, 200), '{}', convert_to(jsonb_strip_nulls(raise_news.payload)::text, 'UTF8')
    FROM hookfast_data.sources s, hookfast_data.registry r WHERE s.name = raise_news.source;
    INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left, due_at, ordering_key)
    SELECT h.id, event, h.tries, CASE WHEN h.ordered_by IS NULL THEN now() END, CASE WHEN h.ordered_by IS NOT NULL THEN '' END
    FROM hookfast_data.handlers h WHERE hookfast_data.subscribes(h.types, h.sources, raise_news.source, raise_news.type);
    PERFORM hookfast_data.wake_workers();
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast_data.raise_news IS 'Stores and routes a news, unless its key is known; answers with the event. What concerns a source''s own business is an event of that source';

CREATE FUNCTION hookfast_data.news_of_conflict(event uuid) RETURNS void
    LANGUAGE sql AS $$
    SELECT hookfast_data.raise_news('hookfast.conflict', 'conflict:' || e.id, jsonb_build_object('event_id', e.id, 'source', s.name,
        'type', e.type, 'idempotency_key', e.idempotency_key, 'first_event_id', e.conflicts_with))
    FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id WHERE e.id = event AND e.conflicts_with IS NOT NULL
$$;
COMMENT ON FUNCTION hookfast_data.news_of_conflict IS 'The news of an event that conflicts';

-- Reads what was stored since the last time, for search terms and news. An event that is not committed yet may have a
-- smaller id than one that is: so it stops ten seconds before the oldest transaction of ours that may still store one.
-- (What is enqueued is read in its own transaction.)
CREATE FUNCTION hookfast_data.read_new_events(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
    since uuid;
    bound uuid;
    batch record;
BEGIN
    SELECT d.upto INTO since FROM hookfast_data.digest d FOR UPDATE SKIP LOCKED;
    -- Not while somebody erases: what finds an event must not be written after it was erased.
    IF NOT FOUND OR NOT pg_try_advisory_xact_lock_shared(x'686973746f7279'::bigint) THEN
        RETURN 0;
    END IF;
    SELECT hookfast_data.id_at(least(clock_timestamp(), min(coalesce(a.xact_start, clock_timestamp() - interval '35 seconds'))) - interval '10 seconds')
    INTO bound FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL AND a.application_name LIKE 'hookfast%' AND a.pid <> pg_backend_pid();
    WITH read AS MATERIALIZED (
        SELECT e.id, e.body, e.source_id, e.conflicts_with FROM hookfast_data.events e
        WHERE e.id > since AND e.id < bound ORDER BY e.id LIMIT most
    ),
    termed AS (
        INSERT INTO hookfast_data.search_terms (term, event_id)
        SELECT t, r.id FROM read r JOIN hookfast_data.sources s ON s.id = r.source_id AND s.search_fields <> '{}'
        CROSS JOIN LATERAL hookfast_data.terms(r.body, s.search_fields) t
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) AS seen, (SELECT r.id FROM read r ORDER BY r.id DESC LIMIT 1) AS last,
        ARRAY(SELECT r.id FROM read r WHERE r.conflicts_with IS NOT NULL) AS conflicts INTO batch FROM read;
    IF batch.seen > 0 THEN
        PERFORM hookfast_data.news_of_conflict(c) FROM unnest(batch.conflicts) c;
        UPDATE hookfast_data.digest d SET upto = batch.last;
    END IF;
    RETURN batch.seen;
END $$;
COMMENT ON FUNCTION hookfast_data.read_new_events IS 'Reads new events for search terms and conflicts, up to so many; answers with how many it read';

CREATE FUNCTION hookfast_data.announce_dead(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    dead record;
    announced bigint := 0;
BEGIN
    FOR dead IN
        SELECT d.delivery_id, d.event_id, d.attempt, d.reason, d.last_error, d.died_at, h.name AS handler, e.type, e.idempotency_key, s.name AS source
        FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
        LEFT JOIN LATERAL (SELECT x.type, x.idempotency_key, x.source_id FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
        LEFT JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE NOT d.announced ORDER BY d.delivery_id LIMIT most FOR UPDATE OF d SKIP LOCKED
    LOOP
        -- Of a news that could not be delivered there is none.
        IF dead.source IS DISTINCT FROM 'hookfast' THEN
            PERFORM hookfast_data.raise_news('hookfast.delivery.dead', 'dead:' || dead.delivery_id || ':' || dead.attempt,
                jsonb_build_object('delivery_id', dead.delivery_id, 'handler', dead.handler, 'event_id', dead.event_id, 'source', dead.source,
                    'type', dead.type, 'idempotency_key', dead.idempotency_key, 'attempts', dead.attempt, 'reason', dead.reason,
                    'error', dead.last_error, 'died_at', dead.died_at));
        END IF;
        UPDATE hookfast_data.dead_letters d SET announced = true WHERE d.delivery_id = dead.delivery_id;
        announced := announced + 1;
    END LOOP;
    RETURN announced;
END $$;
COMMENT ON FUNCTION hookfast_data.announce_dead IS 'The news of new dead letters, up to so many; answers with how many';

-- What is wrong now. A condition is told once, and again only after it has ended; one process looks at a time.
CREATE FUNCTION hookfast_data.watch() RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
    told bigint := 0;
    began record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(x'7761746368'::bigint) THEN
        RETURN 0;
    END IF;
    FOR began IN
        WITH wrong AS MATERIALIZED (
            SELECT 'hookfast.handler.paused' AS news, h.name AS subject,
                jsonb_build_object('handler', h.name, 'since', h.paused_at, 'why', h.paused_why) AS payload
            FROM hookfast_data.handlers h WHERE h.paused_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.opened', h.name, jsonb_build_object('handler', h.name, 'since', h.breaker_opened_at)
            FROM hookfast_data.handlers h WHERE h.breaker_opened_at IS NOT NULL
            UNION ALL
            SELECT 'hookfast.handler.unserved', h.name, jsonb_build_object('handler', h.name, 'kind', h.kind, 'oldest_ready_at', o.ready_at)
            FROM hookfast_data.handlers h
            CROSS JOIN LATERAL (SELECT least(
                (SELECT x.due_at FROM hookfast_data.outbox x WHERE x.handler_id = h.id AND x.due_at <= clock_timestamp()
                    AND x.due_at IS NOT NULL AND x.locked_by IS NULL ORDER BY x.due_at LIMIT 1),
                (SELECT hookfast_data.id_time(x.event_id) FROM hookfast_data.outbox x WHERE x.handler_id = h.id
                    AND x.due_at IS NULL AND x.locked_by IS NULL ORDER BY x.id LIMIT 1)) AS ready_at) o
            WHERE h.paused_at IS NULL AND NOT EXISTS (SELECT FROM hookfast_data.leases l WHERE l.expires_at > clock_timestamp() AND l.handlers @> ARRAY[h.id])
                AND o.ready_at < clock_timestamp() - CASE WHEN h.kind = 'pull' THEN interval '5 minutes' ELSE interval '1 minute' END
            UNION ALL
            SELECT 'hookfast.source.' || s.state, s.source, jsonb_build_object('source', s.source, 'last_event_at', s.last_event_at,
                'last_hour', s.last_hour, 'usual_hour', s.usual_hour, 'rejects_by_reason', s.rejects_by_reason)
            FROM hookfast.source_health s WHERE s.state IN ('silent', 'rejecting') AND s.kind <> 'hookfast'
            UNION ALL
            SELECT 'hookfast.quarantine.full', s.name, jsonb_build_object('source', s.name,
                'rows', (SELECT count(*) FROM hookfast_data.quarantine q WHERE q.source_id = s.id))
            FROM hookfast_data.sources s WHERE EXISTS (SELECT FROM hookfast_data.rollups r WHERE r.subject = 'source:' || s.name
                AND r.counter = 'quarantine_full' AND r.minute > clock_timestamp() - interval '10 minutes')
        ),
        ended AS (
            DELETE FROM hookfast_data.conditions c WHERE NOT EXISTS (SELECT FROM wrong w WHERE w.news = c.news AND w.subject = c.subject)
        ),
        new AS (
            INSERT INTO hookfast_data.conditions (news, subject) SELECT w.news, w.subject FROM wrong w
            ON CONFLICT DO NOTHING RETURNING news, subject, since
        )
        SELECT n.news, n.subject, n.since, w.payload FROM new n JOIN wrong w ON w.news = n.news AND w.subject = n.subject
    LOOP
        PERFORM hookfast_data.raise_news(began.news, began.news || ':' || began.subject || ':' || extract(epoch FROM began.since), began.payload);
        told := told + 1;
    END LOOP;
    -- By the attempts that were lost: the lease itself is gone by now. Of a news that was lost there is none, or a
    -- handler that dies of news would get one more each time.
    FOR began IN
        SELECT a.lease_id, h.name AS handler, count(*) AS deliveries, max(a.finished_at) AS at
        FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
        WHERE a.outcome = 'lost' AND a.outcome IN ('retry', 'dead', 'lost') AND a.finished_at > clock_timestamp() - interval '10 minutes'
            AND NOT EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = a.event_id AND e.origin = 'hookfast')
        GROUP BY 1, 2
    LOOP
        told := told + (hookfast_data.raise_news('hookfast.lease.lost', 'lease:' || coalesce(began.lease_id, 0) || ':' || began.handler,
            jsonb_build_object('lease_id', began.lease_id, 'handler', began.handler, 'deliveries', began.deliveries, 'at', began.at)) IS NOT NULL)::integer;
    END LOOP;
    RETURN told;
END $$;
COMMENT ON FUNCTION hookfast_data.watch IS 'Looks for what is wrong, and raises the news of what was not before; answers with how many';

REVOKE ALL ON FUNCTION hookfast_data.raise_news, hookfast_data.news_of_conflict, hookfast_data.read_new_events,
    hookfast_data.announce_dead, hookfast_data.watch FROM PUBLIC;
