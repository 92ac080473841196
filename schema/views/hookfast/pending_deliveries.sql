-- Apart from hookfast.deliveries, so that a query can use an index: by handler_id and delivery_id, or by handler_id and
-- due_at. No volatile function: the planner would read all rows before it sorts them.
CREATE OR REPLACE VIEW hookfast.pending_deliveries AS
SELECT
    o.id AS delivery_id,
    h.name AS handler,
    o.event_id,
    CASE WHEN o.lease_id IS NOT NULL THEN 'running'
        WHEN h.retired_at IS NOT NULL THEN 'retired'
        WHEN h.paused_at IS NOT NULL THEN 'paused'
        WHEN o.due_at = 'infinity' THEN 'waiting'
        WHEN o.due_at > statement_timestamp() THEN CASE WHEN o.attempt_number > 0 THEN 'retrying' ELSE 'scheduled' END
        ELSE 'ready' END AS state,
    o.attempt_number AS attempts,
    o.attempts_left::integer AS attempts_left,
    CASE WHEN o.lease_id IS NULL AND h.retired_at IS NULL THEN nullif(o.due_at, 'infinity') END AS next_attempt_at,
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
        WHERE l.id = o.lease_id AND l.kind = 'pull') END AS running_since,
    o.due_at,
    o.handler_id
FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id;
COMMENT ON VIEW hookfast.pending_deliveries IS
    'Every pending delivery with its state, as in hookfast.deliveries: ready, running, retrying, scheduled, waiting, '
    'paused or retired. due_at is null if it has been due from the beginning, and infinity while it waits';
