-- The body is parsed at creation, so that it reaches functions that its callers may not call by name.
CREATE OR REPLACE FUNCTION hookfast.timeline(term text)
    RETURNS TABLE (at timestamptz, kind text, event_id uuid, source text, type text, handler text, delivery_id bigint,
        message text)
    LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off
BEGIN ATOMIC
    WITH found AS MATERIALIZED (SELECT f.event_id AS id FROM hookfast.find(timeline.term) f),
    events AS MATERIALIZED (
        SELECT e.event_id, e.source, e.type, e.received_at, e.origin, e.idempotency_key, e.conflicts_with,
            e.verified_by, e.erased_at
        FROM found f JOIN hookfast.events e ON e.event_id = f.id
    ),
    attempts AS MATERIALIZED (
        SELECT a.* FROM found f JOIN hookfast.attempts a ON a.event_id = f.id
    ),
    pending AS MATERIALIZED (
        SELECT d.* FROM hookfast.deliveries d WHERE d.event_id = ANY (ARRAY(SELECT f.id FROM found f))
            AND d.state IN ('ready', 'running', 'retrying', 'scheduled', 'waiting', 'paused', 'retired', 'dead')
    )
    SELECT t.* FROM (
    SELECT e.received_at AS at, CASE WHEN e.conflicts_with IS NULL THEN 'received' ELSE 'conflict' END AS kind,
        e.event_id, e.source, e.type, NULL::text, NULL::bigint,
        e.origin || ', key ' || e.idempotency_key || coalesce(', verified by ' || e.verified_by, '')
            || coalesce(', conflicts with ' || e.conflicts_with, '')
    FROM events e
    UNION ALL
    SELECT e.erased_at, 'erased', e.event_id, e.source, e.type, NULL, NULL, 'payload and headers' FROM events e
        WHERE e.erased_at IS NOT NULL
    UNION ALL
    SELECT a.finished_at, a.outcome, a.event_id, e.source, e.type, a.handler, a.delivery_id,
        'attempt ' || a.attempt_number || coalesce(', ' || a.duration_ms || ' ms', '')
            || coalesce(': ' || coalesce(a.error, a.error_kind), '')
    FROM attempts a LEFT JOIN events e ON e.event_id = a.event_id
    UNION ALL
    SELECT coalesce(d.ended_at, statement_timestamp()), CASE d.state WHEN 'dead' THEN 'dead letter' ELSE 'pending' END,
        d.event_id, e.source, e.type, d.handler, d.delivery_id,
        CASE d.state WHEN 'dead' THEN hookfast_data.counted(d.attempts, 'attempt', 'attempts')
            ELSE d.state || coalesce(' by ' || d.running_by, '')
                || coalesce(' since ' || d.running_since::timestamptz(0), '')
                || coalesce(', next attempt at ' || d.next_attempt_at::timestamptz(0), '') END
            || coalesce(': ' || d.last_error, '')
    FROM pending d LEFT JOIN events e ON e.event_id = d.event_id
    UNION ALL
    SELECT l.at, l.action, NULL, NULL, NULL, NULL, NULL,
        l.target || ' by ' || l.actor || coalesce(': ' || (l.details->>'why'), '')
    FROM hookfast.audit_log l JOIN (
        SELECT 'event' AS kind, f.id::text AS subject FROM found f
        UNION SELECT 'delivery', a.delivery_id::text FROM attempts a UNION SELECT 'delivery', d.delivery_id::text
            FROM pending d
    ) s ON s.subject = l.target
        -- The target of another row may be a replay or a quarantined request with the same number.
        AND split_part(l.action, '.', 1) = s.kind
    ) t
    -- A dead letter and its last attempt are written by one statement.
    ORDER BY date_trunc('milliseconds', t.at), t.kind = 'dead letter', t.at;
END;
COMMENT ON FUNCTION hookfast.timeline IS
    'Lists everything that happened to the events that hookfast.find returns, in order';
REVOKE ALL ON FUNCTION hookfast.timeline FROM PUBLIC;
