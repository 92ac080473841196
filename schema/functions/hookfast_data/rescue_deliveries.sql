-- Counts an attempt as lost, and makes the delivery due again or a dead letter. It never waits for a row: a locked row
-- is being settled.
CREATE OR REPLACE FUNCTION hookfast_data.rescue_deliveries(deliveries tid[], leases bigint[], most_lost integer,
    owner text DEFAULT 'worker')
    RETURNS TABLE (handler_id smallint, rescued bigint, dead bigint)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken record;
BEGIN
    FOR taken IN
        WITH locked AS MATERIALIZED (
            SELECT o.ctid AS tid, t.lease_id, o.lost + 1 AS lost
            FROM unnest(deliveries, leases) AS t (tid, lease_id) JOIN hookfast_data.outbox o ON o.ctid = t.tid
            WHERE o.lease_id = t.lease_id FOR UPDATE OF o SKIP LOCKED
        ),
        retried AS (
            UPDATE hookfast_data.outbox o
            SET lease_id = NULL, lost = p.lost, due_at = clock_timestamp() + p.lost * interval '1 second'
            FROM (SELECT * FROM locked WHERE lost < most_lost) p WHERE o.ctid = p.tid
            RETURNING p.lease_id, o.event_id, o.id, o.attempt_number, o.handler_id, o.lost, o.ordering_key, o.replay_id
        ),
        deleted AS (
            DELETE FROM hookfast_data.outbox o USING (SELECT * FROM locked WHERE lost >= most_lost) p
            WHERE o.ctid = p.tid
            RETURNING p.lease_id, o.event_id, o.id, o.attempt_number, o.handler_id, p.lost, o.ordering_key, o.replay_id
        ),
        new_dead_letters AS (
            INSERT INTO hookfast_data.dead_letters
                (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error, replay_id)
            SELECT d.id, d.handler_id, d.event_id, d.attempt_number, d.lost, d.ordering_key, 'lost',
                'its ' || owner || ' disappeared ' || d.lost || ' times', d.replay_id
            FROM deleted d
        ),
        -- An attempt can be stored only if the partition of its day exists. Without one the delivery is rescued all the
        -- same, since otherwise it would block all deliveries of its worker.
        new_attempts AS (
            INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, lease_id,
                error, error_kind)
            SELECT l.event_id, l.id, l.attempt_number, l.handler_id, 'lost', l.lease_id,
                'its ' || owner || ' disappeared', 'lost'
            FROM (TABLE retried UNION ALL TABLE deleted) l WHERE hookfast_data.has_attempts_day(l.event_id)
            ON CONFLICT DO NOTHING
        )
        SELECT l.handler_id, count(*) AS rescued, count(*) FILTER (WHERE l.lost >= most_lost) AS dead,
            array_agg(l.ordering_key) FILTER (WHERE l.lost >= most_lost AND l.ordering_key <> '') AS keys
        FROM (TABLE retried UNION ALL TABLE deleted) l GROUP BY l.handler_id
    LOOP
        -- In a separate statement, which sees that the dead letters are no longer pending.
        IF taken.keys IS NOT NULL THEN
            PERFORM hookfast_data.make_next_due(taken.handler_id, taken.keys);
        END IF;
        handler_id := taken.handler_id;
        rescued := taken.rescued;
        dead := taken.dead;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION hookfast_data.rescue_deliveries IS
    'Rescues deliveries of leases that have expired or no longer exist, each only if that lease still holds it';
REVOKE ALL ON FUNCTION hookfast_data.rescue_deliveries FROM PUBLIC;
