-- A handler's own counts of an hour.
CREATE OR REPLACE VIEW hookfast.handler_health AS
WITH hour AS MATERIALIZED (
    SELECT
        r.subject,
        r.counter,
        sum(r.value) AS value,
        max(r.minute) AS last
    FROM hookfast_data.rollups r
    WHERE r.subject LIKE 'handler:%' AND r.minute > statement_timestamp() - interval '1 hour'
    GROUP BY r.subject, r.counter
)
SELECT
    h.name AS handler,
    h.kind,
    CASE WHEN h.paused_at IS NOT NULL THEN 'paused'
        WHEN b.unserved THEN 'unserved'
        WHEN h.breaker_opened_at IS NOT NULL THEN 'open'
        WHEN c.failed > greatest(10, c.delivered) THEN 'failing'
        ELSE 'ok' END AS state,
    CASE WHEN h.paused_at IS NOT NULL THEN 'since ' || h.paused_at::timestamptz(0) || ': '
            || CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN h.paused_why
                ELSE hookfast_data.shown_kind(left(h.paused_why, 10)) END
        WHEN b.unserved THEN 'no live worker serves it'
        WHEN h.breaker_opened_at IS NOT NULL THEN 'unavailable since ' || h.breaker_opened_at::timestamptz(0)
            || ', tried again at ' || h.breaker_until::timestamptz(0)
        WHEN c.failed > greatest(10, c.delivered)
            THEN 'more failed than were delivered in the last hour: see hookfast.failures' END AS why,
    c.delivered AS delivered_last_hour,
    c.failed AS failed_last_hour,
    c.dead AS dead_last_hour,
    (SELECT count(*) FROM hookfast_data.dead_letters d WHERE d.handler_id = h.id) AS dead_letters,
    b.ready,
    b.oldest_ready_age,
    b.per_minute,
    b.served_by,
    h.types,
    h.sources,
    h.ordered_by IS NOT NULL AS ordered,
    h.tries::integer AS tries
FROM hookfast_data.handlers h
JOIN hookfast.backlog b ON b.handler = h.name
CROSS JOIN LATERAL (
    SELECT coalesce(sum(x.value) FILTER (WHERE x.counter = 'delivered'), 0)::bigint AS delivered,
        coalesce(sum(x.value) FILTER (WHERE x.counter IN ('retry', 'dead')), 0)::bigint AS failed,
        coalesce(sum(x.value) FILTER (WHERE x.counter = 'dead'), 0)::bigint AS dead
    FROM hour x WHERE x.subject = 'handler:' || h.name
) c;
COMMENT ON VIEW hookfast.handler_health IS
    'One row a handler: ok, failing, open (its circuit breaker), unserved or paused, with its counts of the last '
    'hour and its dead letters';
