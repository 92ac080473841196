-- Gives keys to new deliveries, in the order of their ids. The first delivery of a key is due at once, and the others
-- are parked. One sequencer runs at a time: the result is null if another one is running.
--
-- The bytes of one batch's bodies are bounded too: a batch that exceeds its statement timeout would fail again and
-- again, and the handler would make no progress.
--
-- Settling a delivery makes the next one of its key due, and has to see what is parked behind it. So one delivery of
-- the key is locked against settling until this is committed. If all deliveries of a key are being settled at this
-- moment, the key waits for the next call.
CREATE OR REPLACE FUNCTION hookfast_data.assign_ordering_keys(handler smallint, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path text[];
    hold boolean;
    ids bigint[];
    events uuid[];
    most_bytes bigint := 4194304;
    sequenced bigint;
BEGIN
    PERFORM FROM hookfast_data.outbox o WHERE o.handler_id = assign_ordering_keys.handler
        AND o.ordering_key = '' LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF NOT hookfast_data.try_lock('sequence of handler ' || assign_ordering_keys.handler) THEN
        RETURN NULL;
    END IF;
    SELECT h.ordered_by, h.on_dead = 'block' INTO path, hold FROM hookfast_data.handlers h
        WHERE h.id = assign_ordering_keys.handler;
    -- Each statement from here on sees what the previous sequencer committed. The batch is known before its events are
    -- read: with bounds, the query opens only the days of the batch and does not wait for a lock on another day.
    SELECT array_agg(b.id), array_agg(b.event_id ORDER BY b.event_id) INTO ids, events
    FROM (SELECT o.id, o.event_id FROM hookfast_data.outbox o
        WHERE o.handler_id = assign_ordering_keys.handler AND o.ordering_key = ''
        ORDER BY o.id LIMIT most FOR UPDATE) b;
    WITH batch AS MATERIALIZED (
        SELECT o.ctid AS tid, o.id, o.event_id FROM hookfast_data.outbox o
        WHERE o.handler_id = assign_ordering_keys.handler AND o.id = ANY (ids)
    ),
    bodies AS MATERIALIZED (
        SELECT b.tid, b.id, e.body,
            sum(octet_length(e.body)) OVER (ORDER BY b.id) - octet_length(e.body) AS bytes_before
        FROM batch b LEFT JOIN LATERAL (SELECT e.body FROM hookfast_data.events e WHERE e.id = b.event_id
            AND e.id BETWEEN events[1] AND events[cardinality(events)]) e ON true
    ),
    keyed AS MATERIALIZED (
        SELECT b.tid, b.id, coalesce(hookfast_data.ordering_key(b.body, path), '#' || b.id) AS key
        FROM bodies b WHERE coalesce(b.bytes_before, 0) < most_bytes
    ),
    keys AS MATERIALIZED (
        SELECT k.key, min(k.id) AS first,
            -- With a LIMIT each key is looked up. Postgres may answer an EXISTS by reading the whole table into a hash.
            coalesce((SELECT true FROM hookfast_data.outbox x
                WHERE x.handler_id = assign_ordering_keys.handler AND x.ordering_key = k.key
                    AND x.ordering_key <> '' LIMIT 1),
                    false) AS behind,
            hold AND coalesce((SELECT true FROM hookfast_data.dead_letters d
                WHERE d.handler_id = assign_ordering_keys.handler AND d.ordering_key = k.key LIMIT 1), false) AS held
        FROM keyed k GROUP BY k.key
    ),
    -- The last delivery of the key is tried first: it is parked, if any is.
    kept AS MATERIALIZED (
        SELECT k.key FROM keys k CROSS JOIN LATERAL (
            SELECT x.id FROM hookfast_data.outbox x
            WHERE x.handler_id = assign_ordering_keys.handler AND x.ordering_key = k.key AND x.ordering_key <> ''
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
COMMENT ON FUNCTION hookfast_data.assign_ordering_keys IS
    'Gives ordering keys to an ordered handler''s new deliveries; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.assign_ordering_keys FROM PUBLIC;
