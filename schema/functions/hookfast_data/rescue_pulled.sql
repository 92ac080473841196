-- Takes over what pulling clients held whose leases have expired. Never waits for a row: one under a completing
-- transaction is being completed, and keeps its lease.
CREATE OR REPLACE FUNCTION hookfast_data.rescue_pulled(of_handler smallint, grace interval, most_lost integer)
    RETURNS TABLE (handler_id smallint, rescued bigint, dead bigint, ended bigint)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken record;
BEGIN
    FOR taken IN
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
            DELETE FROM hookfast_data.outbox o USING (SELECT * FROM picked WHERE lost >= most_lost) p
            WHERE o.ctid = p.tid
            RETURNING p.lease_id, o.event_id, o.id, o.attempt, o.handler_id, p.lost, o.ordering_key, o.replay_id
        ),
        buried AS (
            INSERT INTO hookfast_data.dead_letters
                (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error, replay_id)
            SELECT g.id, g.handler_id, g.event_id, g.attempt, g.lost, g.ordering_key, 'lost',
                'its client went away ' || g.lost || ' times', g.replay_id
            FROM gone g
        ),
        tried AS (
            INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, lease_id, error)
            SELECT t.event_id, t.id, t.attempt, t.handler_id, 'lost', t.lease_id, 'its client went away'
            FROM (TABLE again UNION ALL TABLE gone) t
            WHERE hookfast_data.has_attempts_day(t.event_id)
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
        SELECT e.handler_id, coalesce(sum(t.rescued), 0)::bigint AS rescued, coalesce(sum(t.dead), 0)::bigint AS dead,
            count(d.id) AS ended,
            (SELECT array_agg(g.ordering_key) FROM gone g
                WHERE g.handler_id = e.handler_id AND g.ordering_key <> '') AS keys
        FROM expired e LEFT JOIN taken t ON t.lease_id = e.id LEFT JOIN ended d ON d.id = e.id GROUP BY e.handler_id
    LOOP
        -- In a statement of its own, which sees that the dead letters are no longer pending.
        IF taken.keys IS NOT NULL THEN
            PERFORM hookfast_data.wake(taken.handler_id, taken.keys);
        END IF;
        handler_id := taken.handler_id;
        rescued := taken.rescued;
        dead := taken.dead;
        ended := taken.ended;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION hookfast_data.rescue_pulled IS
    'Takes deliveries from pulling clients whose leases have expired for longer than a grace time, and removes '
    'those leases, some hundreds at a time; ended is how many';
REVOKE ALL ON FUNCTION hookfast_data.rescue_pulled FROM PUBLIC;
