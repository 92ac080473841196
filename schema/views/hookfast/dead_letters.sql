CREATE OR REPLACE VIEW hookfast.dead_letters AS
SELECT
    d.delivery_id,
    h.name AS handler,
    d.event_id,
    d.attempt_number AS attempts,
    d.reason,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN d.last_error END AS last_error,
    d.died_at,
    (SELECT e.type FROM hookfast_data.events e WHERE e.id = d.event_id) AS type,
    (SELECT e.idempotency_key FROM hookfast.events e WHERE e.event_id = d.event_id) AS idempotency_key,
    CASE WHEN d.ordering_key IS NULL OR (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN d.ordering_key
        ELSE (SELECT hookfast_data.visible_key(d.ordering_key, hookfast_data.as_jsonb(e.body), s.secret_fields)
            FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
            WHERE e.id = d.event_id) END AS ordering_key,
    d.handler_id
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id;
COMMENT ON VIEW hookfast.dead_letters IS
    'Deliveries that used up their attempts or were rejected for good. Repair them with hookfast.retry or '
    'hookfast.discard';
