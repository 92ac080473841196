CREATE OR REPLACE VIEW hookfast.deliveries AS
SELECT
    o.id AS delivery_id,
    h.name AS handler,
    o.event_id,
    CASE WHEN o.lease_id IS NOT NULL THEN 'running'
        WHEN h.retired_at IS NOT NULL THEN 'retired'
        WHEN h.paused_at IS NOT NULL THEN 'paused'
        WHEN o.due_at = 'infinity' THEN 'waiting'
        WHEN o.due_at > clock_timestamp() THEN CASE WHEN o.attempt_number > 0 THEN 'retrying' ELSE 'scheduled' END
        ELSE 'ready' END AS state,
    o.attempt_number AS attempts,
    o.attempts_left::integer AS attempts_left,
    CASE WHEN o.lease_id IS NULL AND h.retired_at IS NULL THEN nullif(o.due_at, 'infinity') END AS next_attempt_at,
    NULL::timestamptz AS ended_at,
    CASE WHEN o.ordering_key IS NULL OR o.ordering_key = '' THEN NULL
        WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN o.ordering_key
        ELSE (SELECT hookfast_data.visible_key(o.ordering_key, hookfast_data.as_jsonb(e.body), s.secret_fields)
            FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
            WHERE e.id = o.event_id) END AS ordering_key,
    CASE WHEN o.attempt_number > 0 AND (SELECT hookfast_data.can_see_secrets(current_user)) THEN (
        SELECT a.error FROM hookfast_data.attempts a WHERE a.event_id = o.event_id AND a.delivery_id = o.id
        ORDER BY a.attempt_number DESC LIMIT 1) END AS last_error,
    CASE WHEN o.lease_id IS NOT NULL THEN (SELECT l.owner FROM hookfast_data.leases l
        WHERE l.id = o.lease_id) END AS running_by,
    -- A worker's lease is older than the deliveries it has claimed.
    CASE WHEN o.lease_id IS NOT NULL THEN (SELECT l.registered_at FROM hookfast_data.leases l
        WHERE l.id = o.lease_id AND l.kind = 'pull') END AS running_since
FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
UNION ALL
SELECT
    d.delivery_id,
    h.name,
    d.event_id,
    'dead',
    d.attempt_number,
    0,
    NULL,
    d.died_at,
    CASE WHEN d.ordering_key IS NULL OR (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN d.ordering_key
        ELSE (SELECT hookfast_data.visible_key(d.ordering_key, hookfast_data.as_jsonb(e.body), s.secret_fields)
            FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
            WHERE e.id = d.event_id) END,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN d.last_error END,
    NULL,
    NULL
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
UNION ALL
SELECT
    a.delivery_id,
    h.name,
    a.event_id,
    'delivered',
    a.attempt_number,
    NULL,
    NULL,
    a.finished_at,
    NULL,
    NULL,
    NULL,
    NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'delivered'
UNION ALL
SELECT
    a.delivery_id,
    h.name,
    a.event_id,
    'filtered',
    a.attempt_number,
    NULL,
    NULL,
    a.finished_at,
    NULL,
    NULL,
    NULL,
    NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'filtered'
UNION ALL
SELECT
    a.delivery_id,
    h.name,
    a.event_id,
    'discarded',
    a.attempt_number - 1,
    NULL,
    NULL,
    a.finished_at,
    NULL,
    NULL,
    NULL,
    NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'discarded';
COMMENT ON VIEW hookfast.deliveries IS
    'Every delivery with its state: ready, running, retrying (at next_attempt_at), scheduled, waiting (for an '
    'earlier delivery of its key), paused, retired (its handler was retired, so it is not run), dead, delivered, '
    'filtered (its payload does not match the handler''s filter) or discarded';
