-- The cost does not grow with the backlog, so monitoring can read this view even during a large backlog.
CREATE OR REPLACE VIEW hookfast.handler_health AS
SELECT
    h.name AS handler,
    h.kind,
    CASE WHEN h.retired_at IS NOT NULL THEN 'retired'
        WHEN h.paused_at IS NOT NULL THEN 'paused'
        WHEN b.unserved THEN 'unserved'
        WHEN h.breaker_opened_at IS NOT NULL THEN 'open'
        WHEN c.failing IS NOT NULL OR c.failed > greatest(10, c.delivered) THEN 'failing'
        WHEN b.oldest_ready_age > h.behind_after THEN 'behind'
        WHEN t.slow THEN 'slow'
        ELSE 'ok' END AS state,
    CASE WHEN h.retired_at IS NOT NULL THEN 'since ' || h.retired_at::timestamptz(0)
            || CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN ': ' || h.retired_why ELSE '' END
        WHEN h.paused_at IS NOT NULL THEN 'since ' || h.paused_at::timestamptz(0) || ': '
            || CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN h.paused_why
                WHEN h.paused_as_gone
                    THEN coalesce('status ' || h.paused_by_status, 'the handler reported that it is gone')
                ELSE 'by an operator' END
        WHEN b.unserved THEN 'no live worker serves it' || CASE WHEN NOT EXISTS (SELECT FROM hookfast_data.processes p
            WHERE h.name = ANY (p.handlers) AND p.seen_at > statement_timestamp() - interval '20 seconds')
            THEN ', and no live process has it in its configuration: start one that has it, or end its subscription '
                'with hookfast.retire_handler' ELSE '' END
        WHEN h.breaker_opened_at IS NOT NULL THEN 'unavailable since ' || h.breaker_opened_at::timestamptz(0)
            || ', next probe at ' || h.breaker_until::timestamptz(0)
        WHEN c.failing IS NOT NULL THEN c.failing
        WHEN c.failed > greatest(10, c.delivered)
            THEN 'more attempts failed than succeeded in the last hour: see hookfast.failures'
        WHEN b.oldest_ready_age > h.behind_after
            THEN 'a delivery has been ready for ' || date_trunc('second', b.oldest_ready_age)
                || ', longer than behind_after (' || h.behind_after || ')'
        WHEN t.slow THEN 'the 95th percentile of its durations rose from ' || t.p95_ms_before || ' to '
            || t.p95_ms_last_5_minutes || ' ms: see hookfast.durations' END AS why,
    coalesce(c.delivered, 0) AS delivered_last_hour,
    coalesce(c.failed, 0) AS failed_last_hour,
    coalesce(c.dead, 0) AS dead_last_hour,
    hookfast_data.dead_letters_up_to(h.id, 10000) AS dead_letters,
    b.ready,
    b.oldest_ready_age,
    b.per_minute,
    b.served_by,
    h.types,
    h.sources,
    h.ordered_by IS NOT NULL AS ordered,
    h.max_attempts::integer AS max_attempts,
    h.behind_after,
    t.median_ms_last_5_minutes AS median_ms,
    t.p95_ms_last_5_minutes AS p95_ms,
    b.retired,
    h.retired_at,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN h.retired_why END AS retired_why
FROM hookfast_data.handlers h
JOIN (
    SELECT
        x.handler_id,
        x.per_minute,
        x.served_by,
        a.oldest_ready_age,
        x.served_by = 0
            AND (k.kind <> 'pull' OR coalesce(a.oldest_ready_age > interval '5 minutes', false)) AS unserved,
        CASE WHEN k.retired_at IS NULL THEN hookfast_data.ready_up_to(x.handler_id, 10000) ELSE 0 END AS ready,
        CASE WHEN k.retired_at IS NULL THEN 0 ELSE hookfast_data.pending_up_to(x.handler_id, 10000) END AS retired
    FROM hookfast_data.handler_load() x JOIN hookfast_data.handlers k ON k.id = x.handler_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN k.retired_at IS NULL
            THEN statement_timestamp() - hookfast_data.oldest_ready(x.handler_id) END AS oldest_ready_age
        OFFSET 0
    ) a
) b ON b.handler_id = h.id
LEFT JOIN hookfast_data.handler_counts() c ON c.handler = h.name
LEFT JOIN (
    SELECT d.*, d.attempts_last_5_minutes >= 10 AND d.attempts_before >= 10 AND d.p95_ms_last_5_minutes >= 100
        AND d.p95_ms_last_5_minutes >= 4 * d.p95_ms_before AS slow
    FROM hookfast.durations d
) t ON t.handler = h.name;
COMMENT ON VIEW hookfast.handler_health IS
    'One row per handler: ok, slow, behind, failing, open (its circuit breaker), unserved, paused or retired, with '
    'its counts of the last hour and its dead letters. ready, retired and dead_letters count up to 10000; backlog '
    'counts all pending deliveries';
