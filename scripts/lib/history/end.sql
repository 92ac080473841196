-- Pending deliveries of yesterday's events to crm, counts, quarantined requests, audit log, and statistics.
-- Parameters: days, pending.
INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, attempt_number)
SELECT h.id, e.id, 12, CASE WHEN e.n % 2 = 0 THEN clock_timestamp() + e.n % 300 * interval '1 minute' END, CASE
    WHEN e.n % 2 = 0 THEN 1 ELSE 0 END
FROM hookfast_data.handlers h, (
    SELECT x.id, row_number() OVER () AS n FROM hookfast_data.events x
        WHERE x.id >= hookfast_data.event_id_at((current_date - 1)::timestamp AT TIME ZONE 'UTC') LIMIT ${pending}) e
WHERE h.name = 'crm';
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
SELECT m, c.subject, c.counter, 100 FROM generate_series(date_trunc('minute', now()) - ${days} * interval '1 day',
    date_trunc('minute', now()), interval '1 minute') m,
    (VALUES ('source:airalo', 'stored'), ('source:airalo', 'duplicate'), ('handler:shop', 'delivered'), ('handler:shop',
        'retry'), ('handler:crm', 'delivered')) c (subject, counter)
ON CONFLICT DO NOTHING;
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body)
SELECT s.id, sha256(n::text::bytea), 'wrong_signature', '{}', '{}' FROM hookfast_data.sources s, generate_series(1,
    1000) n WHERE s.name = 'airalo' ON CONFLICT DO NOTHING;
INSERT INTO hookfast_data.audit_log (action, target) SELECT 'delivery.retried', n::text FROM generate_series(1,
    10000) n;
SET client_min_messages = error;
ANALYZE;
