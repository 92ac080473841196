-- What the console lists besides events: orders with their SIMs, notifications, alerts, replays, holds, and the audit
-- log. Parameters: days, rows.
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, order_id, state, rank, description, quantity, event_id,
    received_at)
SELECT e.source_id, 'r' || n, '70' || n, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'completed' END,
    CASE WHEN n % 50 = 0 THEN 1 ELSE 3 END, CASE WHEN n % 50 > 0 THEN 'shop order ' || n END, 1, e.id, e.received_at
FROM (SELECT x.id, x.source_id, x.received_at, row_number() OVER () AS n FROM hookfast_data.events x
    WHERE x.origin = 'webhook' LIMIT ${rows}) e;
UPDATE hookfast_data.airalo_orders SET conflicts = ARRAY[event_id] WHERE id % 2000 = 1;
INSERT INTO hookfast_data.airalo_sims (source_id, iccid, order_row, order_id, conflict, event_id, received_at)
SELECT o.source_id, '8944' || o.id, o.id, o.order_id, false, o.event_id, o.received_at
FROM hookfast_data.airalo_orders o;
INSERT INTO hookfast_data.airalo_low_data (source_id, iccid, package, level, remaining_percentage, event_id,
    received_at)
SELECT s.source_id, s.iccid, 'change-30days-3gb', '90', 10, s.event_id, s.received_at
FROM hookfast_data.airalo_sims s;
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at, checks,
    last_check_result, overdue_at)
SELECT o.source_id, o.request_id, 'shop order ' || o.id, o.received_at, o.received_at + interval '1 hour', NULL, 1,
    'found', NULL FROM hookfast_data.airalo_orders o
UNION ALL
SELECT s.id, 'late' || n, 'late order ' || n, now() - interval '2 hours', now() - interval '1 hour', now(), 3,
    'not found', now() FROM hookfast_data.sources s, generate_series(1, 200) n WHERE s.name = 'airalo';

WITH made AS MATERIALIZED (
    SELECT n, overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(
        (current_date - 1 - n % ${days})::timestamp AT TIME ZONE 'UTC' + n * (interval '1 day' / ${rows}))::text, 13)
            FROM 1)::uuid AS id,
        CASE n % 3 WHEN 0 THEN 'hookfast.delivery.dead' WHEN 1 THEN 'hookfast.handler.behind'
            ELSE 'hookfast.resolved' END AS type,
        CASE n % 3 WHEN 2 THEN 'resolved:' || (n - 1) ELSE n::text END AS key
    FROM generate_series(1, ${rows}) n
),
keyed AS (
    INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id)
    SELECT s.id, m.key, m.id FROM made m, hookfast_data.sources s WHERE s.name = 'hookfast'
)
INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key,
    headers, body)
SELECT m.id, s.id, 0, hookfast_data.event_id_time(m.id), m.type, 'hookfast', m.key, '{}',
    convert_to('{"handler":"shop","type":"hookfast.handler.behind"}', 'UTF8')
FROM made m, hookfast_data.sources s WHERE s.name = 'hookfast';

INSERT INTO hookfast_data.replays (handler_id, state, cursor_id, end_id, matching, replayed, per_second, new_webhook_id,
    requested_by, why, ended_at)
SELECT h.id, 'done', hookfast_data.event_id_at(now()), hookfast_data.event_id_at(now()), 10, 10, 100, false, 'mira',
    'repaired', now() FROM hookfast_data.handlers h, generate_series(1, 2000) n WHERE h.name = 'shop';
INSERT INTO hookfast_data.retention_holds (event_id, why, held_by)
SELECT e.id, 'dispute', 'mira' FROM hookfast_data.events e LIMIT 2000;
INSERT INTO hookfast_data.audit_log (action, target, at)
SELECT (ARRAY['delivery.retried', 'handler.registered', 'event.held', 'process.started'])[1 + n % 4], n::text,
    now() - (${rows} - n) * interval '1 minute' FROM generate_series(1, ${rows}) n;
SET client_min_messages = error;
ANALYZE;
