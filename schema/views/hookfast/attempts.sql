CREATE OR REPLACE VIEW hookfast.attempts AS
SELECT
    a.event_id,
    a.delivery_id,
    a.attempt_number,
    h.name AS handler,
    a.outcome,
    a.finished_at,
    a.duration_ms,
    a.status,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN a.error END AS error,
    CASE WHEN a.error_kind = 'status' THEN 'status ' || a.status ELSE a.error_kind END AS error_kind
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id;
COMMENT ON VIEW hookfast.attempts IS
    'One row per attempt: delivered, filtered, retry, dead, lost or discarded. Operators see error, readers see '
    'error_kind';
