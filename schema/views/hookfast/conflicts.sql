CREATE OR REPLACE VIEW hookfast.conflicts AS
SELECT
    e.id AS event_id,
    s.name AS source,
    e.type,
    e.received_at,
    (SELECT f.idempotency_key FROM hookfast.events f WHERE f.event_id = e.id) AS idempotency_key,
    e.conflicts_with AS first_event_id,
    (SELECT f.received_at FROM hookfast_data.events f WHERE f.id = e.conflicts_with) AS first_received_at,
    (SELECT f.payload FROM hookfast.events f WHERE f.event_id = e.id) AS payload,
    (SELECT f.payload FROM hookfast.events f WHERE f.event_id = e.conflicts_with) AS first_payload,
    k.acknowledged_at,
    k.acknowledged_by
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
LEFT JOIN hookfast_data.acknowledgements k ON k.event_id = e.id
WHERE e.conflicts_with IS NOT NULL;
COMMENT ON VIEW hookfast.conflicts IS
    'Events with the key of an earlier event and other content, beside that event. Each is a possible double purchase';
