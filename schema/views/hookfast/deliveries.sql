CREATE OR REPLACE VIEW hookfast.deliveries AS
SELECT
    p.delivery_id,
    p.handler,
    p.event_id,
    p.state,
    p.attempts,
    p.attempts_left,
    p.next_attempt_at,
    NULL::timestamptz AS ended_at,
    p.ordering_key,
    p.last_error,
    p.running_by,
    p.running_since
FROM hookfast.pending_deliveries p
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
