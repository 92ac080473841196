-- What the registry says of a handler beyond its subscription, so that SQL alone can serve it, and the order of ordered
-- handlers.

ALTER TABLE hookfast_data.handlers
    ADD COLUMN retry jsonb NOT NULL DEFAULT '{"delays_ms": [5000, 30000, 120000, 600000, 1800000, 3600000, 7200000, 14400000, 21600000, 43200000, 64800000]}',
    ADD COLUMN ordered_by text[] CHECK (cardinality(ordered_by) > 0),
    ADD COLUMN on_dead text NOT NULL DEFAULT 'skip' CHECK (on_dead IN ('skip', 'hold'));
COMMENT ON COLUMN hookfast_data.handlers.kind IS 'http, sql, pull, rust or transactional';
COMMENT ON COLUMN hookfast_data.handlers.retry IS 'The retry policy: {"delays_ms": […]} or {"base_ms", "max_ms", "tries"}';
COMMENT ON COLUMN hookfast_data.handlers.ordered_by IS 'Where in the payload the ordering key is, as a path of member names; null where order is not kept';
COMMENT ON COLUMN hookfast_data.handlers.on_dead IS 'What a dead letter does to its ordering key: skip (the key goes on) or hold (it waits for the dead letter)';

ALTER TABLE hookfast_data.leases ADD COLUMN deliveries bigint[], ADD COLUMN claimed_in xid8;
COMMENT ON COLUMN hookfast_data.leases.deliveries IS 'What a pulling client claimed under it; null for a worker, whose claims come and go';
COMMENT ON COLUMN hookfast_data.leases.claimed_in IS 'The transaction a pulling client claimed in, which has to commit before the work begins; null for a worker';

COMMENT ON COLUMN hookfast_data.outbox.ordering_key IS 'What it must keep order with. Empty: an ordered handler''s, and its key is not known yet; null: order is not asked for. One of a key is due at a time, the others are due at infinity until it has ended';

-- For ordered handlers only: of all others the key is null, and neither index has a row.
CREATE INDEX outbox_unsequenced ON hookfast_data.outbox (handler_id, id) WHERE ordering_key = '';
CREATE INDEX outbox_order ON hookfast_data.outbox (handler_id, ordering_key, due_at, id) WHERE ordering_key <> '';
CREATE INDEX dead_letters_order ON hookfast_data.dead_letters (handler_id, ordering_key) WHERE ordering_key IS NOT NULL;
-- An expired lease is looked for every few seconds, among many of pulling clients.
CREATE INDEX leases_expiry ON hookfast_data.leases (expires_at);

-- The plan settings of these functions keep their plans what they are in every state of the tables: by index, in order.

-- Gives keys to deliveries that came in, in the order of their ids. The first of a key is due at once, the others are
-- parked. One sequencer at a time: where another is at it, null.
--
-- Whoever ends a delivery wakes the next of its key, and must see what is parked behind it: so one delivery of the key is
-- kept from ending until this is committed. Where each of them is just being ended, the key's turn is the next time.
CREATE FUNCTION hookfast_data.sequence(handler smallint, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    path text[];
    hold boolean;
    sequenced bigint;
BEGIN
    PERFORM FROM hookfast_data.outbox o WHERE o.handler_id = sequence.handler AND o.ordering_key = '' LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'686f6f6b'::integer, sequence.handler::integer) THEN
        RETURN NULL;
    END IF;
    SELECT h.ordered_by, h.on_dead = 'hold' INTO path, hold FROM hookfast_data.handlers h WHERE h.id = sequence.handler;
    -- Each statement from here on sees what the sequencer before us committed.
    WITH batch AS MATERIALIZED (
        SELECT o.ctid AS tid, o.id, o.event_id FROM hookfast_data.outbox o
        WHERE o.handler_id = sequence.handler AND o.ordering_key = ''
        ORDER BY o.id LIMIT most FOR UPDATE
    ),
    keyed AS MATERIALIZED (
        SELECT b.tid, b.id, coalesce(hookfast_data.ordering_key(e.body, path), '#' || b.id) AS key
        FROM batch b LEFT JOIN LATERAL (SELECT e.body FROM hookfast_data.events e WHERE e.id = b.event_id) e ON true
    ),
    keys AS MATERIALIZED (
        SELECT k.key, min(k.id) AS first,
            -- With a LIMIT each key is looked up; an EXISTS may be answered by reading the whole table into a hash.
            coalesce((SELECT true FROM hookfast_data.outbox x
                WHERE x.handler_id = sequence.handler AND x.ordering_key = k.key AND x.ordering_key <> '' LIMIT 1), false) AS behind,
            hold AND coalesce((SELECT true FROM hookfast_data.dead_letters d
                WHERE d.handler_id = sequence.handler AND d.ordering_key = k.key LIMIT 1), false) AS held
        FROM keyed k GROUP BY k.key
    ),
    -- The last first: it is parked, where any is.
    kept AS MATERIALIZED (
        SELECT k.key FROM keys k CROSS JOIN LATERAL (
            SELECT x.id FROM hookfast_data.outbox x
            WHERE x.handler_id = sequence.handler AND x.ordering_key = k.key AND x.ordering_key <> ''
            ORDER BY x.due_at DESC, x.id DESC LIMIT 1 FOR KEY SHARE SKIP LOCKED
        ) x WHERE k.behind
    ),
    placed AS MATERIALIZED (
        SELECT k.tid, k.key, s.behind OR s.held OR k.id > s.first AS waits
        FROM keyed k JOIN keys s ON s.key = k.key
        WHERE NOT s.behind OR k.key IN (SELECT p.key FROM kept p)
    )
    UPDATE hookfast_data.outbox o
    SET ordering_key = p.key, due_at = CASE WHEN p.waits THEN 'infinity' ELSE clock_timestamp() END
    FROM placed p WHERE o.ctid = p.tid;
    GET DIAGNOSTICS sequenced = ROW_COUNT;
    RETURN sequenced;
END $$;
COMMENT ON FUNCTION hookfast_data.sequence IS 'Gives ordering keys to an ordered handler''s new deliveries; answers with how many';

CREATE FUNCTION hookfast_data.ordering_key(body bytea, path text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED AS $$
    SELECT CASE WHEN octet_length(k) > 200 THEN 'sha256:' || encode(sha256(convert_to(k, 'UTF8')), 'hex') ELSE nullif(k, '') END
    FROM (SELECT hookfast_data.as_jsonb(body) #>> path AS k) v
$$;
COMMENT ON FUNCTION hookfast_data.ordering_key IS 'The ordering key in a payload, or null where it has none: such an event keeps order with no other';

-- The next of each key is due, unless another of it is, or a dead letter holds the key. Finite times come before
-- infinity in the index, so the first row of a key tells.
CREATE FUNCTION hookfast_data.wake(handler smallint, keys text[]) RETURNS bigint
    LANGUAGE sql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH next AS MATERIALIZED (
        SELECT f.tid FROM (SELECT DISTINCT unnest(keys) AS key) k
        JOIN hookfast_data.handlers h ON h.id = wake.handler
        CROSS JOIN LATERAL (
            SELECT o.ctid AS tid, o.due_at FROM hookfast_data.outbox o
            WHERE o.handler_id = wake.handler AND o.ordering_key = k.key AND o.ordering_key <> ''
            ORDER BY o.due_at, o.id LIMIT 1
        ) f
        WHERE f.due_at = 'infinity' AND NOT (h.on_dead = 'hold' AND EXISTS (
            SELECT FROM hookfast_data.dead_letters d WHERE d.handler_id = wake.handler AND d.ordering_key = k.key))
    ),
    woken AS (
        UPDATE hookfast_data.outbox o SET due_at = clock_timestamp() FROM next n WHERE o.ctid = n.tid RETURNING o.id
    )
    SELECT count(*) FROM woken
$$;
COMMENT ON FUNCTION hookfast_data.wake IS 'Makes the next delivery of each key due where none of that key is; answers with how many. Safe to call at any time';

-- The net, and what a change of ordered_by leaves behind.
CREATE FUNCTION hookfast_data.wake_all(handler smallint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    ordered boolean := (SELECT h.ordered_by IS NOT NULL FROM hookfast_data.handlers h WHERE h.id = wake_all.handler);
    woken bigint;
BEGIN
    IF ordered THEN
        UPDATE hookfast_data.outbox o SET ordering_key = '', due_at = NULL
        WHERE o.handler_id = wake_all.handler AND o.ordering_key IS NULL AND o.locked_by IS NULL;
        RETURN hookfast_data.wake(wake_all.handler, ARRAY(
            SELECT DISTINCT o.ordering_key FROM hookfast_data.outbox o
            WHERE o.handler_id = wake_all.handler AND o.due_at = 'infinity' AND o.ordering_key <> ''));
    END IF;
    UPDATE hookfast_data.outbox o SET due_at = clock_timestamp()
    WHERE o.handler_id = wake_all.handler AND o.due_at = 'infinity';
    GET DIAGNOSTICS woken = ROW_COUNT;
    RETURN woken;
END $$;
COMMENT ON FUNCTION hookfast_data.wake_all IS 'Wakes every key of a handler that waits for nothing; also puts in order what came before the handler was ordered, and frees what waits where it is ordered no more';
