-- hookfast: settle
-- Settles a group of outcomes. A delivery is settled only if the claim that made the outcome still holds it.
-- $1 handler ids, $2 delivery ids, $3 attempt numbers, $4 leases, $5 outcomes (delivered, filtered, retry, waits,
-- rejected, event_missing, release, lost), $6 delays in milliseconds, $7 durations in milliseconds, $8 statuses,
-- $9 errors, $10 kinds of error, $11 after how many lost attempts a delivery is dead
WITH outcomes AS MATERIALIZED (
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bigint[], $5::text[], $6::bigint[],
            $7::integer[], $8::smallint[], $9::text[], $10::text[])
        WITH ORDINALITY AS t (handler_id, id, attempt_number, lease_id, outcome, delay_ms, duration_ms, status, error,
            error_kind, ord)
),
-- All rows are locked first, and in one order. Other statements skip locked rows.
locked AS MATERIALIZED (
    SELECT t.*, x.tid,
        CASE WHEN t.outcome = 'retry' AND x.attempts_left <= 1 THEN 'attempts_exhausted'
            WHEN t.outcome = 'lost' AND x.lost + 1 < $11::integer THEN 'lost_again'
            ELSE t.outcome END AS verdict
    FROM (SELECT * FROM outcomes ORDER BY handler_id, id) t,
        LATERAL (
            SELECT o.ctid AS tid, o.attempts_left, o.lost FROM hookfast_data.outbox o
            WHERE o.handler_id = t.handler_id AND o.id = t.id AND o.attempt_number = t.attempt_number
                AND o.lease_id = t.lease_id
            FOR UPDATE
        ) x
),
deleted AS (
    DELETE FROM hookfast_data.outbox o
    USING (SELECT * FROM locked
        WHERE verdict IN ('delivered', 'filtered', 'attempts_exhausted', 'rejected', 'event_missing', 'lost')) h
    WHERE o.ctid = h.tid
    RETURNING h.ord, h.verdict, o.event_id, o.id, o.handler_id, o.attempt_number,
        o.lost + (h.verdict = 'lost')::integer AS lost, o.ordering_key, o.replay_id,
        h.duration_ms, h.status, h.lease_id, h.error, h.error_kind
),
retried AS (
    UPDATE hookfast_data.outbox o
    SET lease_id = NULL,
        due_at = clock_timestamp() + h.delay_ms * interval '1 millisecond',
        attempts_left = CASE WHEN h.verdict = 'retry' THEN o.attempts_left - 1 ELSE o.attempts_left END,
        lost = CASE WHEN h.verdict = 'lost_again' THEN o.lost + 1 ELSE o.lost END
    FROM (SELECT * FROM locked WHERE verdict IN ('retry', 'waits', 'release', 'lost_again')) h
    WHERE o.ctid = h.tid
    RETURNING h.ord, h.verdict, o.event_id, o.id, o.handler_id, o.attempt_number, o.lost, o.ordering_key, o.replay_id,
        h.duration_ms, h.status, h.lease_id, h.error, h.error_kind
),
settled AS MATERIALIZED (SELECT * FROM deleted UNION ALL SELECT * FROM retried),
new_dead_letters AS (
    INSERT INTO hookfast_data.dead_letters
        (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error, replay_id)
    SELECT id, handler_id, event_id, attempt_number, lost, ordering_key, verdict, error, replay_id
    FROM settled WHERE verdict IN ('attempts_exhausted', 'rejected', 'event_missing', 'lost')
),
-- A claim commits asynchronously, so a crash of the server can bring back the number of an attempt once.
new_attempts AS (
    INSERT INTO hookfast_data.attempts
        (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms, status, lease_id, error, error_kind)
    SELECT event_id, id, attempt_number, handler_id,
        CASE WHEN verdict IN ('delivered', 'filtered', 'retry') THEN verdict WHEN verdict = 'waits' THEN 'retry'
            WHEN verdict IN ('lost', 'lost_again') THEN 'lost' ELSE 'dead' END,
        duration_ms, status, lease_id, error, error_kind
    FROM settled WHERE verdict NOT IN ('release', 'event_missing')
    ON CONFLICT DO NOTHING
)
SELECT NULL::bigint AS ord, NULL::text AS verdict, count(*) AS locked FROM locked
UNION ALL
SELECT ord, verdict, NULL FROM settled
