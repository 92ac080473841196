CREATE OR REPLACE VIEW hookfast.events AS
SELECT
    e.id AS event_id,
    s.name AS source,
    e.type,
    e.topic,
    e.origin,
    e.received_at,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) OR s.secret_fields = '{}'
        THEN e.idempotency_key
        ELSE hookfast_data.visible_key(e.idempotency_key, hookfast_data.as_jsonb(e.body), s.secret_fields)
        END AS idempotency_key,
    e.conflicts_with,
    e.verified_by,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN e.headers
        ELSE hookfast_data.visible_headers(e.headers) END AS headers,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN hookfast_data.as_jsonb(e.body)
        ELSE hookfast_data.redact_payload(hookfast_data.as_jsonb(e.body), s.secret_fields) END AS payload,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) OR s.secret_fields = '{}'
            AND (SELECT hookfast_data.can_see_secrets(current_user)) THEN e.body END AS body,
    CASE WHEN e.erased_at IS NOT NULL THEN 'erased by an operator'
        ELSE hookfast_data.payload_error(e.body) END AS payload_error,
    e.erased_at,
    e.traceparent
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id;
COMMENT ON VIEW hookfast.events IS
    'One row per event. payload is null if the body is not JSON that Postgres can hold, and payload_error gives the '
    'reason. body has the exact bytes (operators only)';
