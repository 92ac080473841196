-- One scan of the outbox. Nothing runs it periodically; handler_health serves that. It uses the time of the statement,
-- so that no row is counted twice.
CREATE OR REPLACE VIEW hookfast.backlog AS
WITH pending AS MATERIALIZED (
    SELECT
        o.handler_id,
        count(*) FILTER (WHERE o.lease_id IS NULL
            AND (o.due_at IS NULL OR o.due_at <= statement_timestamp())) AS ready,
        count(*) FILTER (WHERE o.lease_id IS NOT NULL) AS running,
        count(*) FILTER (WHERE o.lease_id IS NULL AND o.due_at = 'infinity') AS waiting,
        count(*) FILTER (WHERE o.lease_id IS NULL AND o.due_at > statement_timestamp()
            AND o.due_at <> 'infinity') AS later,
        count(*) FILTER (WHERE o.lease_id IS NULL AND o.due_at > statement_timestamp()
            AND o.due_at <= statement_timestamp() + interval '5 minutes') AS due_in_5_minutes,
        count(*) FILTER (WHERE o.lease_id IS NULL AND o.due_at > statement_timestamp()
            AND o.due_at <= statement_timestamp() + interval '30 minutes') AS due_in_30_minutes,
        count(*) FILTER (WHERE o.lease_id IS NULL AND o.due_at > statement_timestamp()
            AND o.due_at <= statement_timestamp() + interval '120 minutes') AS due_in_120_minutes,
        min(o.id) FILTER (WHERE o.lease_id IS NULL AND o.due_at IS NULL) AS oldest_fresh,
        min(o.due_at) FILTER (WHERE o.lease_id IS NULL AND o.due_at <= statement_timestamp()) AS oldest_due
    FROM hookfast_data.outbox o GROUP BY o.handler_id
),
counted AS (
    SELECT
        h.id,
        h.name,
        h.kind,
        h.paused_at,
        h.retired_at,
        coalesce(o.ready, 0) AS ready,
        coalesce(o.running, r.running, 0) AS running,
        coalesce(o.waiting, 0) AS waiting,
        coalesce(o.later, 0) AS later,
        coalesce(o.due_in_5_minutes, 0) AS due_in_5_minutes,
        coalesce(o.due_in_30_minutes, 0) AS due_in_30_minutes,
        coalesce(o.due_in_120_minutes, 0) AS due_in_120_minutes,
        least(o.oldest_due, (SELECT hookfast_data.event_id_time(f.event_id) FROM hookfast_data.outbox f
            WHERE f.handler_id = o.handler_id AND f.id = o.oldest_fresh)) AS oldest_ready_at,
        d.per_minute,
        d.served_by,
        coalesce(r.ready + r.waiting + r.later, 0) AS retired
    FROM hookfast_data.handlers h JOIN hookfast_data.handler_load() d ON d.handler_id = h.id
        LEFT JOIN pending o ON o.handler_id = h.id AND h.retired_at IS NULL
        LEFT JOIN pending r ON r.handler_id = h.id AND h.retired_at IS NOT NULL
)
SELECT
    c.name AS handler,
    c.ready,
    c.running,
    c.waiting,
    c.later,
    c.due_in_5_minutes,
    c.due_in_30_minutes,
    c.due_in_120_minutes,
    c.oldest_ready_at,
    statement_timestamp() - c.oldest_ready_at AS oldest_ready_age,
    c.per_minute,
    c.served_by,
    c.served_by = 0 AND c.retired_at IS NULL
        AND (c.kind <> 'pull' OR coalesce(c.oldest_ready_at < statement_timestamp() - interval '5 minutes',
        false)) AS unserved,
    c.paused_at IS NOT NULL AS paused,
    c.retired
FROM counted c;
COMMENT ON VIEW hookfast.backlog IS
    'One row per handler: how many deliveries are ready, running, waiting for their key, or due later; since when '
    'the oldest is ready; deliveries settled per minute in the last five minutes; whether nothing serves it; and how '
    'many are kept for a retired handler';
