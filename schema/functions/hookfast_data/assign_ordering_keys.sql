-- Gives keys to deliveries that came in, in the order of their ids. The first of a key is due at once, the others are
-- parked. One sequencer at a time: where another is at it, null.
--
-- The bodies of one batch are bounded too: a batch that takes longer than its statement may would fail again and again,
-- and the handler would stand still.
--
-- Whoever ends a delivery wakes the next of its key, and must see what is parked behind it: so one delivery of the key
-- is
-- kept from ending until this is committed. Where each of them is just being ended, the key's turn is the next time.
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
    -- Each statement from here on sees what the sequencer before us committed. The batch is known before its events are
    -- looked up: with bounds, these open the days of the batch and do not wait for somebody who locks another one.
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
            -- With a LIMIT each key is looked up; an EXISTS may be answered by reading the whole table into a hash.
            coalesce((SELECT true FROM hookfast_data.outbox x
                WHERE x.handler_id = assign_ordering_keys.handler AND x.ordering_key = k.key
                    AND x.ordering_key <> '' LIMIT 1),
                    false) AS behind,
            hold AND coalesce((SELECT true FROM hookfast_data.dead_letters d
                WHERE d.handler_id = assign_ordering_keys.handler AND d.ordering_key = k.key LIMIT 1), false) AS held
        FROM keyed k GROUP BY k.key
    ),
    -- The last first: it is parked, where any is.
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
    'Gives ordering keys to an ordered handler''s new deliveries; answers with how many';
REVOKE ALL ON FUNCTION hookfast_data.assign_ordering_keys FROM PUBLIC;
