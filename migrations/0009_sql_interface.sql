-- Consuming and producing from any language: what a client calls, inside its own transactions.

-- Errors that a client can meet, by SQLSTATE: HF001 a handler refuses for good (raised by sql handlers), HF002 a lease is
-- lost, HF003 a claim is not committed, HF004 no such handler or source.

CREATE TYPE hookfast.event AS (
    event_id uuid,
    source text,
    type text,
    topic text,
    origin text,
    received_at timestamptz,
    idempotency_key text,
    conflicts_with uuid,
    headers jsonb,
    payload jsonb,
    body bytea,
    delivery_id bigint,
    attempt integer
);
COMMENT ON TYPE hookfast.event IS 'What a sql handler is called with: an event, and which attempt at which delivery this is. payload is null where the body is not JSON that Postgres can hold';

CREATE FUNCTION hookfast_data.new_event_id() RETURNS uuid
    LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION hookfast_data.new_event_id IS 'A UUID v7 of now';

-- How long a delivery waits after its n-th failure (from 1): the same rule as the workers'.
CREATE FUNCTION hookfast_data.retry_delay(retry jsonb, failures integer) RETURNS interval
    LANGUAGE sql VOLATILE AS $$
    SELECT interval '1 millisecond' * CASE
        WHEN retry ? 'base_ms' THEN
            least((retry->>'base_ms')::float * power(2, least(failures - 1, 62)), (retry->>'max_ms')::float) * random()
        ELSE coalesce((retry->'delays_ms'->>least(failures - 1, jsonb_array_length(retry->'delays_ms') - 1))::float, 0)
            * (1 + 0.2 * random())
    END
$$;
COMMENT ON FUNCTION hookfast_data.retry_delay IS 'The delay after the n-th failure by a retry policy';

CREATE FUNCTION hookfast_data.retry_tries(retry jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((retry->>'tries')::integer, jsonb_array_length(retry->'delays_ms') + 1)
$$;
COMMENT ON FUNCTION hookfast_data.retry_tries IS 'How many tries a retry policy gives';

-- Takes over what pulling clients held whose leases have expired. Never waits for a row: one under a completing
-- transaction is being completed, and keeps its lease.
CREATE FUNCTION hookfast_data.rescue_pulled(of_handler smallint, grace interval, most_lost integer)
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
        RETURNING p.lease_id, o.event_id, o.id, o.attempt, o.handler_id, o.lost, o.ordering_key
    ),
    gone AS (
        DELETE FROM hookfast_data.outbox o USING (SELECT * FROM picked WHERE lost >= most_lost) p WHERE o.ctid = p.tid
        RETURNING p.lease_id, o.event_id, o.id, o.attempt, o.handler_id, p.lost, o.ordering_key
    ),
    buried AS (
        INSERT INTO hookfast_data.dead_letters
            (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error)
        SELECT g.id, g.handler_id, g.event_id, g.attempt, g.lost, g.ordering_key, 'lost', 'its client went away ' || g.lost || ' times'
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
COMMENT ON FUNCTION hookfast_data.rescue_pulled IS 'Takes deliveries from pulling clients whose leases have expired for longer than a grace time, and removes those leases, some hundreds at a time; ended is how many';

-- The plan settings keep the claim's plan what it is in every state of the tables, as on the workers' connections.
CREATE FUNCTION hookfast.claim(handler text, holder text, batch integer DEFAULT 10, lease interval DEFAULT '60 seconds')
    RETURNS TABLE (
        lease_id bigint, delivery_id bigint, attempt integer, event_id uuid, source text, type text, topic text, origin text,
        received_at timestamptz, idempotency_key text, conflicts_with uuid, headers jsonb, payload jsonb, body bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    h record;
    died boolean;
    taken bigint[];
    most integer := claim.batch;
    seen integer := 0;
    new_lease bigint;
BEGIN
    SELECT r.id, r.kind, r.paused_at, r.ordered_by, r.filter::jsonpath AS filter INTO h FROM hookfast_data.handlers r WHERE r.name = claim.handler;
    IF NOT FOUND OR h.kind <> 'pull' THEN
        RAISE 'no pull handler is named %; nothing was claimed', claim.handler
            USING ERRCODE = 'HF004', HINT = 'Declare it in the configuration as kind = "pull", and start a process with the role worker once.';
    END IF;
    IF claim.batch IS NULL OR claim.batch < 1 OR claim.batch > 1000 THEN
        RAISE 'a batch is 1 to 1000 deliveries, not %; nothing was claimed', claim.batch USING ERRCODE = '22023';
    END IF;
    IF claim.lease IS NULL OR claim.lease < interval '1 second' OR claim.lease > interval '1 day' THEN
        RAISE 'a lease lasts 1 second to 1 day, not %; nothing was claimed', claim.lease USING ERRCODE = '22023';
    END IF;
    IF h.paused_at IS NOT NULL THEN
        RETURN;
    END IF;
    -- Workers do this within seconds; where none runs, the clients do, once the database has been back for a while.
    SELECT r.dead > 0 INTO died FROM hookfast_data.rescue_pulled(h.id, interval '15 seconds', 5) r;
    IF h.ordered_by IS NOT NULL THEN
        IF died THEN
            PERFORM hookfast_data.wake_all(h.id);
        END IF;
        FOR i IN 1..10 LOOP
            EXIT WHEN coalesce(hookfast_data.sequence(h.id, 1000), 0) < 1000;
        END LOOP;
    END IF;
    -- Where there is a filter: until something passes, or nothing is left, or this has taken long enough. More at a
    -- time where little passes.
    LOOP
        -- Half for each lane, the odd one by chance, so that neither starves the other; what one leaves the other takes.
        WITH late AS MATERIALIZED (
            SELECT o.ctid AS tid, o.id FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at <= clock_timestamp() AND o.due_at IS NOT NULL AND o.locked_by IS NULL
            ORDER BY o.due_at, o.id
            LIMIT (CASE WHEN h.ordered_by IS NULL THEN (most + (random() < 0.5)::integer) / 2 ELSE most END)
            FOR UPDATE SKIP LOCKED
        ),
        fresh AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at IS NULL AND o.locked_by IS NULL AND h.ordered_by IS NULL
            ORDER BY o.id LIMIT most - (SELECT count(*) FROM late)
            FOR UPDATE SKIP LOCKED
        ),
        rest AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at <= clock_timestamp() AND o.due_at IS NOT NULL AND o.locked_by IS NULL
                AND o.id <> ALL (ARRAY(SELECT l.id FROM late l))
            ORDER BY o.due_at, o.id LIMIT most - (SELECT count(*) FROM late) - (SELECT count(*) FROM fresh)
            FOR UPDATE SKIP LOCKED
        )
        SELECT array_agg(o.id) INTO taken FROM (SELECT tid FROM late UNION ALL TABLE fresh UNION ALL TABLE rest) p
        JOIN hookfast_data.outbox o ON o.ctid = p.tid;
        EXIT WHEN taken IS NULL OR h.filter IS NULL;
        seen := seen + cardinality(taken);
        taken := nullif((hookfast_data.filter_out(h.id, h.filter, taken))[:claim.batch], '{}');
        EXIT WHEN taken IS NOT NULL OR seen >= 1000;
        most := greatest(most, least(2 * most, 200));
    END LOOP;
    IF taken IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO hookfast_data.leases (kind, holder, handlers, deliveries, claimed_in, expires_at)
    VALUES ('pull', coalesce(claim.holder, '?'), ARRAY[h.id], taken, pg_current_xact_id(), clock_timestamp() + claim.lease)
    RETURNING id INTO new_lease;
    RETURN QUERY
    WITH held AS (
        UPDATE hookfast_data.outbox o SET locked_by = new_lease, attempt = o.attempt + 1
        FROM unnest(taken) AS t (id)
        WHERE o.handler_id = h.id AND o.id = t.id
        RETURNING o.id, o.event_id, o.attempt
    )
    SELECT new_lease, w.id, w.attempt, w.event_id, s.name, e.type, e.topic, e.origin, e.received_at, e.idempotency_key,
        e.conflicts_with, e.headers, hookfast_data.as_jsonb(e.body), e.body
    FROM held w
    LEFT JOIN LATERAL (SELECT * FROM hookfast_data.events x WHERE x.id = w.event_id) e ON true
    LEFT JOIN hookfast_data.sources s ON s.id = e.source_id
    ORDER BY w.id;
END $$;
COMMENT ON FUNCTION hookfast.claim IS 'Claims up to batch deliveries of a pull handler for the time of the lease. Commit it before the work begins. What the handler''s payload filter does not let pass is ended here, up to some 1,000 a call, and not returned. payload is null where the body is not JSON that Postgres can hold';

-- The one delivery, locked, where the lease still holds it.
CREATE FUNCTION hookfast_data.pulled(lease bigint, delivery bigint) RETURNS hookfast_data.outbox
    LANGUAGE plpgsql AS $$
DECLARE
    fenced record;
BEGIN
    SELECT o AS held, l.claimed_in INTO fenced FROM hookfast_data.leases l
    JOIN hookfast_data.outbox o ON o.handler_id = l.handlers[1] AND o.id = delivery AND o.locked_by = l.id
    WHERE l.id = lease AND l.kind = 'pull' FOR UPDATE OF o;
    IF NOT FOUND THEN
        RAISE 'delivery % is not held by lease % any more; nothing was changed, and this transaction must not commit its work', delivery, lease
            USING ERRCODE = 'HF002', HINT = 'The lease ended and another took over, or this delivery was settled before. Roll back and claim again.';
    END IF;
    -- The whole transaction's id, also where the claim was behind a savepoint.
    IF fenced.claimed_in = pg_current_xact_id() THEN
        RAISE 'delivery % was claimed in this same transaction; nothing was settled', delivery
            USING ERRCODE = 'HF003', HINT = 'Commit the claim before the work begins, or a crash would not count as an attempt.';
    END IF;
    RETURN fenced.held;
END $$;
COMMENT ON FUNCTION hookfast_data.pulled IS 'The fence of pulling clients: raises HF002 where the lease is lost, HF003 where the claim is not committed';

CREATE FUNCTION hookfast.complete(lease_id bigint, delivery_id bigint) RETURNS void
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
    IF held.ordering_key <> '' THEN
        PERFORM hookfast_data.wake(held.handler_id, ARRAY[held.ordering_key]);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.complete IS 'Ends a delivery, inside the transaction that did its work. Raises HF002 where the lease is lost: then roll back';

CREATE FUNCTION hookfast.fail(
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
            (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error)
        VALUES (held.id, held.handler_id, held.event_id, held.attempt, held.lost, held.ordering_key, gone, left(fail.error, 2000));
    END IF;
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, duration_ms, lease_id, error)
    SELECT held.event_id, held.id, held.attempt, held.handler_id, CASE WHEN gone IS NULL THEN 'retry' ELSE 'dead' END,
        least(2147483647, extract(epoch FROM clock_timestamp() - l.registered_at) * 1000)::integer, l.id, left(fail.error, 2000)
    FROM hookfast_data.leases l WHERE l.id = fail.lease_id
    ON CONFLICT DO NOTHING;
    IF gone IS NOT NULL AND held.ordering_key <> '' THEN
        PERFORM hookfast_data.wake(held.handler_id, ARRAY[held.ordering_key]);
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.fail IS 'Says that an attempt failed: again later by the handler''s policy and not before retry_after, or, where dead, never. Raises HF002 where the lease is lost';

CREATE FUNCTION hookfast.extend(lease_id bigint, lease interval DEFAULT '60 seconds') RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    until timestamptz;
BEGIN
    IF extend.lease IS NULL OR extend.lease < interval '1 second' OR extend.lease > interval '1 day' THEN
        RAISE 'a lease lasts 1 second to 1 day, not %; nothing was changed', extend.lease USING ERRCODE = '22023';
    END IF;
    UPDATE hookfast_data.leases l SET expires_at = clock_timestamp() + extend.lease
    WHERE l.id = extend.lease_id AND l.kind = 'pull' RETURNING l.expires_at INTO until;
    IF NOT FOUND THEN
        RAISE 'lease % is gone; what was held under it is another''s, or free', extend.lease_id
            USING ERRCODE = 'HF002', HINT = 'Stop the work, roll back, and claim again.';
    END IF;
    RETURN until;
END $$;
COMMENT ON FUNCTION hookfast.extend IS 'Prolongs a lease from now on, also one that has expired and that nobody has taken over. Raises HF002 where it is gone';

CREATE FUNCTION hookfast.enqueue(
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
    SELECT s.id, s.kind INTO from_source FROM hookfast_data.sources s WHERE s.name = enqueue.source;
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
    PERFORM pg_notify('hookfast_wake', floor(extract(epoch FROM now()) * 1000000)::bigint::text);
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast.enqueue IS 'Puts an event in, inside the caller''s own transaction: it is there when that commits, and never was if it rolls back. Answers with the event''s id; of a repeat, the first one''s';

REVOKE ALL ON FUNCTION hookfast.claim, hookfast.complete, hookfast.fail, hookfast.extend, hookfast.enqueue,
    hookfast_data.sequence, hookfast_data.wake, hookfast_data.wake_all, hookfast_data.rescue_pulled, hookfast_data.pulled
    FROM PUBLIC;
