-- hookfast: claim
-- Claims at most $4 fresh and $6 due deliveries of one handler, if the lease is alive and the handler is not paused.
-- $1 lease, $2 handler, $3 id watermark, $4 maximum of fresh deliveries, $5 due watermark (microseconds since 1970),
-- $6 maximum of due deliveries
WITH lease AS MATERIALIZED (
    -- Locked, so that a claim cannot race the rescue of its own lease and leave deliveries that nobody rescues.
    SELECT l.id FROM hookfast_data.leases l
    WHERE l.id = $1::bigint AND l.expires_at > clock_timestamp()
        AND EXISTS (SELECT FROM hookfast_data.handlers h WHERE h.id = $2::smallint AND h.paused_at IS NULL)
    FOR KEY SHARE
),
due AS MATERIALIZED (
    SELECT o.ctid AS tid FROM hookfast_data.outbox o
    WHERE o.handler_id = $2::smallint AND o.due_at IS NOT NULL AND o.lease_id IS NULL
        AND o.due_at > timestamptz 'epoch' + $5::bigint * interval '1 microsecond'
        AND o.due_at <= now()
        AND EXISTS (SELECT FROM lease)
    ORDER BY o.due_at, o.id LIMIT $6::bigint
    FOR UPDATE SKIP LOCKED
),
-- A delivery that waits for its ordering key is left out: its handler may have become ordered while this process runs.
fresh AS MATERIALIZED (
    SELECT o.ctid AS tid FROM hookfast_data.outbox o
    WHERE o.handler_id = $2::smallint AND o.id > $3::bigint AND o.due_at IS NULL AND o.ordering_key IS NULL
        AND o.lease_id IS NULL AND EXISTS (SELECT FROM lease)
    ORDER BY o.id LIMIT $4::bigint
    FOR UPDATE SKIP LOCKED
),
-- Joined by ctid only: any other join would be planned once, for the size that the table had then.
claimed AS (
    UPDATE hookfast_data.outbox o SET lease_id = $1::bigint, attempt_number = o.attempt_number + 1
    FROM (SELECT tid FROM due UNION ALL SELECT tid FROM fresh) p
    WHERE o.ctid = p.tid
    RETURNING o.id, o.event_id, o.attempt_number, o.attempts_left, o.lost, o.ordering_key, o.replay_id,
        floor(extract(epoch FROM o.due_at) * 1000000)::bigint AS due_at
)
-- The claim's own transaction id is higher than the id of every transaction that had taken delivery ids when the
-- snapshot was taken. The snapshot's xmax is not: it follows the latest transaction that has ended, and a younger one
-- may be open.
SELECT pg_snapshot_xmin(s.snapshot)::text::bigint AS xmin, pg_current_xact_id()::text::bigint AS own_xid,
    EXISTS (SELECT FROM lease) AS scanned,
    c.id, c.event_id, c.attempt_number, c.attempts_left, c.lost, c.ordering_key, c.replay_id, c.due_at
FROM (SELECT pg_current_snapshot() AS snapshot) s LEFT JOIN claimed c ON true
