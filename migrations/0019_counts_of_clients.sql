-- What SQL clients do is counted, and what they enqueue is found at once. The functions are those of 0009, with that added; and a dead letter keeps the
-- replay it is of.

CREATE OR REPLACE FUNCTION hookfast.complete(lease_id bigint, delivery_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held hookfast_data.outbox := hookfast_data.pulled(complete.lease_id, complete.delivery_id);
BEGIN
    DELETE FROM hookfast_data.outbox o WHERE o.handler_id = held.handler_id AND o.id = held.id;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, duration_ms, lease_id)
    SELECT held.event_id, held.id, held.attempt, held.handler_id, 'delivered',
        least(2147483647, extract(epoch FROM clock_timestamp() - l.registered_at) * 1000)::integer, l.id
    FROM hookfast_data.leases l WHERE l.id = complete.lease_id
    ON CONFLICT DO NOTHING;
    INSERT INTO hookfast_data.counts (subject, counter)
    SELECT 'handler:' || h.name, 'delivered' FROM hookfast_data.handlers h WHERE h.id = held.handler_id;
    IF held.ordering_key <> '' THEN
        PERFORM hookfast_data.wake(held.handler_id, ARRAY[held.ordering_key]);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION hookfast.fail(
    lease_id bigint, delivery_id bigint, error text, retry_after interval DEFAULT NULL, dead boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held hookfast_data.outbox := hookfast_data.pulled(fail.lease_id, fail.delivery_id);
    policy jsonb := (SELECT h.retry FROM hookfast_data.handlers h WHERE h.id = held.handler_id);
    gone text := CASE WHEN fail.dead THEN 'refused' WHEN held.tries_left <= 1 THEN 'tries_used' END;
    failures integer := greatest(1, hookfast_data.retry_tries(policy) - held.tries_left + 1);
BEGIN
    IF gone IS NULL THEN
        UPDATE hookfast_data.outbox o SET locked_by = NULL, tries_left = o.tries_left - 1,
            due_at = clock_timestamp() + greatest(hookfast_data.retry_delay(policy, failures), coalesce(fail.retry_after, interval '0'))
        WHERE o.handler_id = held.handler_id AND o.id = held.id;
    ELSE
        DELETE FROM hookfast_data.outbox o WHERE o.handler_id = held.handler_id AND o.id = held.id;
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error, replay_id)
        VALUES (held.id, held.handler_id, held.event_id, held.attempt, held.lost, held.ordering_key, gone, left(fail.error, 2000), held.replay_id);
    END IF;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, duration_ms, lease_id, error)
    SELECT held.event_id, held.id, held.attempt, held.handler_id, CASE WHEN gone IS NULL THEN 'retry' ELSE 'dead' END,
        least(2147483647, extract(epoch FROM clock_timestamp() - l.registered_at) * 1000)::integer, l.id, left(fail.error, 2000)
    FROM hookfast_data.leases l WHERE l.id = fail.lease_id
    ON CONFLICT DO NOTHING;
    INSERT INTO hookfast_data.counts (subject, counter)
    SELECT 'handler:' || h.name, CASE WHEN gone IS NULL THEN 'retry' ELSE 'dead' END FROM hookfast_data.handlers h WHERE h.id = held.handler_id;
    IF gone IS NOT NULL AND held.ordering_key <> '' THEN
        PERFORM hookfast_data.wake(held.handler_id, ARRAY[held.ordering_key]);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION hookfast.enqueue(
    source text, type text, payload jsonb, idempotency_key text DEFAULT NULL,
    headers jsonb DEFAULT '{}', topic text DEFAULT NULL, key_expires_in interval DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    from_source record;
    event uuid := hookfast_data.new_event_id();
    body bytea := convert_to(enqueue.payload::text, 'UTF8');
    fingerprint text := encode(sha256(body), 'hex');
    key text := coalesce(enqueue.idempotency_key, 'enqueue:' || event);
    first record;
    of_conflict record;
    event_type text := enqueue.type;
    first_event uuid;
BEGIN
    SELECT s.id, s.kind, s.search_fields INTO from_source FROM hookfast_data.sources s WHERE s.name = enqueue.source;
    IF NOT FOUND OR from_source.kind <> 'sql' THEN
        RAISE 'no source of kind sql is named %; nothing was enqueued', enqueue.source
            USING ERRCODE = 'HF004', HINT = 'Declare it in the configuration as kind = "sql", and start a process once. Other sources are fed by their senders.';
    END IF;
    IF enqueue.type IS NULL OR enqueue.type !~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$' OR octet_length(enqueue.type) > 200 THEN
        RAISE 'the type % is none; nothing was enqueued', coalesce(enqueue.type, 'null')
            USING ERRCODE = '22023', HINT = 'Segments of a-z, 0-9 and _, joined by dots, at most 200 bytes.';
    END IF;
    IF split_part(enqueue.type, '.', 1) = 'hookfast' THEN
        RAISE 'the type % is one of Hookfast''s own; nothing was enqueued', enqueue.type
            USING ERRCODE = '22023', HINT = 'Begin it with a word of your own.';
    END IF;
    IF body IS NULL THEN
        RAISE 'the payload is null; nothing was enqueued'
            USING ERRCODE = '22004', HINT = 'A JSON null is written ''null''.';
    END IF;
    IF octet_length(key) > 200 OR key = '' OR position('#conflict:' IN key) > 0 THEN
        key := 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex');
    END IF;
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    VALUES (from_source.id, key, event, fingerprint, now() + enqueue.key_expires_in)
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.event_id, k.fingerprint INTO first;
    IF first.event_id <> event THEN
        IF first.fingerprint = fingerprint THEN
            INSERT INTO hookfast_data.counts (subject, counter) VALUES ('source:' || enqueue.source, 'duplicate');
            RETURN first.event_id;
        END IF;
        -- The same key with other content: a conflict, an event of its own.
        first_event := first.event_id;
        key := key || '#conflict:' || fingerprint;
        event_type := event_type || '.conflict';
        INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
        VALUES (from_source.id, key, event, fingerprint, now() + enqueue.key_expires_in)
        ON CONFLICT (source_id, key) DO UPDATE SET
            event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
            expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
        RETURNING k.event_id INTO of_conflict;
        IF of_conflict.event_id <> event THEN
            RETURN of_conflict.event_id;
        END IF;
    END IF;
    INSERT INTO hookfast_data.events
        (id, source_id, registry_version, conflicts_with, type, origin, idempotency_key, topic, headers, body)
    VALUES (event, from_source.id, (SELECT r.version FROM hookfast_data.registry r), first_event, event_type, 'enqueue', key,
        left(enqueue.topic, 200), coalesce(enqueue.headers, '{}'), body);
    -- It may commit late: due from the transaction's start, so that all of one transaction are one notification, which
    -- goes out at its commit and tells the workers how far back to look.
    INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left, due_at, ordering_key)
    SELECT h.id, event, h.tries, CASE WHEN h.ordered_by IS NULL THEN now() END, CASE WHEN h.ordered_by IS NOT NULL THEN '' END
    FROM hookfast_data.handlers h
    WHERE (h.sources IS NULL OR enqueue.source = ANY (h.sources))
        AND EXISTS (SELECT FROM unnest(h.types) AS p WHERE hookfast_data.type_matches(p, event_type));
    -- Here and not by whoever reads new events: this may commit at any time.
    INSERT INTO hookfast_data.search_terms (term, event_id)
    SELECT t, event FROM hookfast_data.terms(body, from_source.search_fields) t ON CONFLICT DO NOTHING;
    IF first_event IS NOT NULL THEN
        PERFORM hookfast_data.news_of_conflict(event);
    END IF;
    INSERT INTO hookfast_data.counts (subject, counter)
    VALUES ('source:' || enqueue.source, CASE WHEN first_event IS NULL THEN 'stored' ELSE 'conflict' END);
    PERFORM pg_notify('hookfast_wake', floor(extract(epoch FROM now()) * 1000000)::bigint::text);
    RETURN event;
END $$;

CREATE OR REPLACE FUNCTION hookfast_data.rescue_pulled(of_handler smallint, grace interval, most_lost integer)
    RETURNS TABLE (handler_id smallint, rescued bigint, dead bigint, ended bigint)
    LANGUAGE sql SET plan_cache_mode = force_custom_plan AS $$
    WITH expired AS MATERIALIZED (
        SELECT l.id, l.handlers[1] AS handler_id, l.deliveries FROM hookfast_data.leases l
        WHERE l.kind = 'pull' AND l.expires_at < clock_timestamp() - grace
            AND (of_handler IS NULL OR l.handlers[1] = of_handler)
        ORDER BY l.expires_at LIMIT 200 FOR UPDATE SKIP LOCKED
    ),
    picked AS MATERIALIZED (
        SELECT e.id AS lease_id, x.tid, x.lost + 1 AS lost
        FROM expired e CROSS JOIN LATERAL unnest(e.deliveries) AS d (id)
        CROSS JOIN LATERAL (
            SELECT o.ctid AS tid, o.lost FROM hookfast_data.outbox o
            WHERE o.handler_id = e.handler_id AND o.id = d.id AND o.locked_by = e.id FOR UPDATE SKIP LOCKED
        ) x
    ),
    again AS (
        UPDATE hookfast_data.outbox o
        SET locked_by = NULL, lost = p.lost, due_at = clock_timestamp() + p.lost * interval '1 second'
        FROM (SELECT * FROM picked WHERE lost < most_lost) p WHERE o.ctid = p.tid
        RETURNING p.lease_id, o.event_id, o.id, o.attempt, o.handler_id, o.lost, o.ordering_key, o.replay_id
    ),
    gone AS (
        DELETE FROM hookfast_data.outbox o USING (SELECT * FROM picked WHERE lost >= most_lost) p WHERE o.ctid = p.tid
        RETURNING p.lease_id, o.event_id, o.id, o.attempt, o.handler_id, p.lost, o.ordering_key, o.replay_id
    ),
    buried AS (
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error, replay_id)
        SELECT g.id, g.handler_id, g.event_id, g.attempt, g.lost, g.ordering_key, 'lost', 'its client went away ' || g.lost || ' times', g.replay_id
        FROM gone g
    ),
    tried AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, lease_id, error)
        SELECT t.event_id, t.id, t.attempt, t.handler_id, 'lost', t.lease_id, 'its client went away'
        FROM (TABLE again UNION ALL TABLE gone) t
        WHERE EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = t.event_id)
        ON CONFLICT DO NOTHING
    ),
    ended AS (
        DELETE FROM hookfast_data.leases l USING expired e
        WHERE l.id = e.id AND (SELECT count(*) FROM picked p WHERE p.lease_id = e.id) = (
            SELECT count(*) FROM unnest(e.deliveries) AS d (id)
            JOIN hookfast_data.outbox o ON o.handler_id = e.handler_id AND o.id = d.id AND o.locked_by = e.id)
        RETURNING l.id
    ),
    taken AS MATERIALIZED (
        SELECT t.lease_id, count(*) AS rescued, count(*) FILTER (WHERE t.lost >= most_lost) AS dead
        FROM (TABLE again UNION ALL TABLE gone) t GROUP BY t.lease_id
    )
    SELECT e.handler_id, coalesce(sum(t.rescued), 0)::bigint, coalesce(sum(t.dead), 0)::bigint, count(d.id)
    FROM expired e LEFT JOIN taken t ON t.lease_id = e.id LEFT JOIN ended d ON d.id = e.id GROUP BY e.handler_id
$$;

CREATE FUNCTION hookfast_data.fold_counts() RETURNS bigint
    LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM hookfast_data.counts RETURNING subject, counter, value),
    added AS (
        INSERT INTO hookfast_data.rollups AS r (minute, subject, counter, value)
        SELECT date_trunc('minute', clock_timestamp()), g.subject, g.counter, sum(g.value) FROM gone g GROUP BY 2, 3 ORDER BY 2, 3
        ON CONFLICT (minute, subject, counter) DO UPDATE SET value = r.value + excluded.value
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION hookfast_data.fold_counts IS 'Adds the counts of SQL clients to the rollups; answers with how many there were';
REVOKE ALL ON FUNCTION hookfast_data.fold_counts FROM PUBLIC;
