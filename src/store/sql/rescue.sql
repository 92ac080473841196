-- hookfast: rescue
-- Takes deliveries from a lease that is dead. Never waits for a row: one under a settling transaction is being settled.
-- $1 the lease, $2 how many at once, $3 how often a delivery may be lost before it is dead
WITH picked AS MATERIALIZED (
    SELECT o.ctid AS tid, o.lost + 1 AS lost FROM hookfast_data.outbox o
    WHERE o.locked_by = $1::bigint LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
),
again AS (
    UPDATE hookfast_data.outbox o
    SET locked_by = NULL, lost = p.lost, due_at = clock_timestamp() + p.lost * interval '1 second'
    FROM (SELECT * FROM picked WHERE lost < $3::integer) p
    WHERE o.ctid = p.tid
    RETURNING o.event_id, o.id, o.attempt, o.handler_id, o.lost, o.ordering_key, o.replay_id
),
gone AS (
    DELETE FROM hookfast_data.outbox o USING (SELECT * FROM picked WHERE lost >= $3::integer) p
    WHERE o.ctid = p.tid
    RETURNING o.event_id, o.id, o.attempt, o.handler_id, p.lost, o.ordering_key, o.replay_id
),
buried AS (
    INSERT INTO hookfast_data.dead_letters
        (delivery_id, handler_id, event_id, attempt, lost, ordering_key, reason, last_error, replay_id)
    SELECT id, handler_id, event_id, attempt, lost, ordering_key, 'lost', 'its worker went away ' || lost || ' times',
        replay_id FROM gone
),
-- An attempt has its place only where its day is: without one the delivery is rescued all the same, or it would keep
-- everything that its worker held.
tried AS (
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, lease_id, error)
    SELECT event_id, id, attempt, handler_id, 'lost', $1::bigint, 'its worker went away'
        FROM (TABLE again UNION ALL TABLE gone) l
    WHERE hookfast_data.has_attempts_day(l.event_id)
    ON CONFLICT DO NOTHING
)
SELECT handler_id, count(*) AS rescued, count(*) FILTER (WHERE lost >= $3::integer) AS dead
FROM (TABLE again UNION ALL TABLE gone) l GROUP BY handler_id
