CREATE OR REPLACE VIEW hookfast.alerts AS
SELECT
    e.event_id,
    e.type,
    e.received_at,
    n.message,
    e.payload
FROM hookfast.events e JOIN hookfast_data.alert_types n ON n.type = e.type
WHERE e.origin = 'hookfast';
COMMENT ON VIEW hookfast.alerts IS
    'Hookfast''s own events that an operator should know about. Subscribe a handler to hookfast.* to receive them';
