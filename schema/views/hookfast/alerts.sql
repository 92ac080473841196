CREATE OR REPLACE VIEW hookfast.alerts AS
SELECT
    e.event_id,
    e.type,
    e.received_at,
    n.message,
    e.payload,
    a.event_id IS NOT NULL AS is_open,
    -- The key of the alert about the end has the key of this one. A query for open alerts begins at active_alerts.
    CASE WHEN a.event_id IS NULL THEN (SELECT hookfast_data.event_id_time(k.event_id)
        FROM hookfast_data.events x JOIN hookfast_data.idempotency_keys k ON k.source_id = x.source_id
            AND k.key = 'resolved:' || x.idempotency_key
        WHERE x.id = e.event_id) END AS resolved_at,
    a.subject,
    a.muted_at,
    a.muted_by,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN a.muted_why
        WHEN a.muted_why IS NOT NULL THEN '***' END AS muted_why
FROM hookfast.events e JOIN hookfast_data.alert_types n ON n.type = e.type
LEFT JOIN hookfast_data.active_alerts a ON a.event_id = e.event_id
WHERE e.origin = 'hookfast';
COMMENT ON VIEW hookfast.alerts IS
    'Hookfast''s own events that an operator should know about, whether the reported condition still holds, '
    'and whether an operator muted it until the condition changes. '
    'Subscribe a handler to hookfast.* to receive them';
