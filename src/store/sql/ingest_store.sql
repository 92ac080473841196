-- hookfast: ingest store
-- The end of a statement that begins with ingest.sql or ingest_linked.sql: stores events and their deliveries.
new_events AS (
    INSERT INTO hookfast_data.events
        (id, source_id, subscription_version, conflicts_with, type, origin, idempotency_key, topic, verified_by,
            headers,
            body)
    -- Not a join: if the row of subscription_version is missing, no request may be answered as stored.
    SELECT v.id, v.source_id, (SELECT version FROM hookfast_data.subscription_version), v.conflicts_with, v.type,
        $11::text, v.key,
        p.topic, p.verified_by,
        p.headers::jsonb, p.body
    FROM verdicts v
    JOIN unnest($7::text[], $8::text[], $9::text[], $10::bytea[])
        WITH ORDINALITY AS p (topic, verified_by, headers, body, ord) USING (ord)
    WHERE v.event_id = v.id
),
-- A group has few kinds of events. Patterns are matched once for each kind, not once for each event.
routes AS MATERIALIZED (
    SELECT k.source_id, k.type, h.id AS handler_id, h.max_attempts,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END AS ordering_key
    FROM (SELECT DISTINCT source_id, type FROM verdicts WHERE event_id = id) k
    JOIN hookfast_data.sources s ON s.id = k.source_id
    JOIN hookfast_data.handlers h
        ON (h.sources IS NULL OR s.name = ANY (h.sources))
        AND (h.kind <> 'airalo' OR s.kind = 'airalo')
        -- In here, since the planner expects few handlers to meet `retired_at IS NULL` as a condition of its own, and
        -- would join the sources last.
        AND EXISTS (SELECT FROM unnest(h.types) AS p
            WHERE h.retired_at IS NULL AND hookfast_data.type_matches(p, k.type))
),
pending AS (
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, ordering_key)
    SELECT r.handler_id, v.id, r.max_attempts, r.ordering_key
    FROM verdicts v JOIN routes r ON r.source_id = v.source_id AND r.type = v.type
    WHERE v.event_id = v.id
    ORDER BY v.ord
)
SELECT ord, verdict, event_id FROM verdicts
