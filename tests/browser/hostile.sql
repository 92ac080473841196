-- Sixty of each thing that a sender controls the text of. :'texts' is a JSON array of sixty texts, :'base' the time
-- of the
-- first. Everything but the texts depends on these alone, so that two databases have the same addresses.
BEGIN;
CREATE TEMP TABLE text_ AS SELECT n::integer, t FROM jsonb_array_elements_text(:'texts'::jsonb) WITH ORDINALITY x (t,
    n);
CREATE TEMP TABLE made AS SELECT n, t, :'base'::timestamptz + interval '1 millisecond' * n AS at,
    (left(hookfast_data.event_id_at(:'base'::timestamptz)::text, 13) || '-7001-9000-' || lpad(to_hex(n), 12,
        '0'))::uuid AS id
FROM text_;

INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key,
    topic, headers, body,
    verified_by, traceparent)
SELECT m.id, s.id, 1, m.at, 'partner.hostile', 'webhook', 'k' || n || ' ' || t, t,
    jsonb_build_object('content-type', t, 'user-agent', t, 'x-event', t, 'x-github-delivery', t, 'webhook-id', t),
    -- Every third body is no JSON. A member's name is the sender's too.
    CASE WHEN n % 3 = 0 THEN convert_to(t, 'UTF8')
        ELSE convert_to(json_build_object('value', t, t, 1, 'list', json_build_array(t, json_build_object('x' || t,
            t)))::text, 'UTF8') END,
    t, t
FROM made m, hookfast_data.sources s WHERE s.name = 'partner';
INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT e.source_id, e.idempotency_key, e.id
    FROM hookfast_data.events e JOIN made m ON m.id = e.id;
INSERT INTO hookfast_data.search_terms (term, event_id) SELECT 'hostile', id FROM made;

-- What a handler answered, and the key by which its deliveries are ordered.
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, finished_at,
    duration_ms, status, error,
    error_kind)
SELECT m.id, 5000000 + n, a, h.id, CASE a WHEN 2 THEN 'dead' ELSE 'retry' END, m.at + interval '1 second' * a, 20, 500,
    'status 500: ' || t, 'status' FROM made m, hookfast_data.handlers h, generate_series(1, 2) a WHERE h.name = 'shop';
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason,
    last_error, died_at,
    announced)
SELECT 5000000 + n, h.id, m.id, 2, 0, t, 'attempts_exhausted', 'status 500: ' || t, m.at + interval '2 seconds', true
FROM made m, hookfast_data.handlers h WHERE h.name = 'shop';
INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, due_at, ordering_key)
SELECT h.id, 6000000 + n, m.id, 5, m.at + interval '1 day', t FROM made m, hookfast_data.handlers h WHERE h.name =
    'billing';
INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at)
SELECT 'pull', t, ARRAY[h.id], :'base'::timestamptz + interval '1 day' FROM text_, hookfast_data.handlers h WHERE
    h.name = 'billing';

-- Orders: what an application describes them with, and what Airalo answered.
INSERT INTO hookfast_data.airalo_orders (source_id, request_id, order_id, state, rank, code, package_id, package,
    description, quantity, data,
    text, voice, currency, pricing_model, reason, event_id, received_at)
SELECT s.id, 'hostile-' || n, t || n, CASE n % 2 WHEN 0 THEN 'failed' ELSE 'completed' END, 3, t, t, t, t || ' ' || n,
    1, t, t, t, t, t, t,
    m.id, m.at FROM made m, hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_sims (source_id, iccid, order_row, order_id, conflict, sim_id, lpa, matching_id,
    qrcode, qrcode_url,
    direct_apple_installation_url, confirmation_code, msisdn, apn_type, apn_value, event_id, received_at)
SELECT o.source_id, t || ' ' || m.n, o.id, t, false, t, t, t, t, t, t, t, t, t, t, m.id, m.at
FROM made m JOIN hookfast_data.airalo_orders o ON o.request_id = 'hostile-' || m.n;
INSERT INTO hookfast_data.airalo_low_data (source_id, iccid, package, level, remaining_percentage, event_id,
    received_at)
SELECT s.id, t || n, t, t, 25, m.id, m.at FROM made m, hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at,
    checks, last_check_result,
    unknown_why)
SELECT s.id, NULL, 'late ' || n || ' ' || t, m.at, m.at, m.at + interval '1 day', 1, t, t FROM made m,
    hookfast_data.sources s
WHERE s.name = 'airalo';
UPDATE hookfast_data.airalo_credit SET threshold = t, message = t FROM text_ WHERE n = 3;

INSERT INTO hookfast_data.quarantine (source_id, digest, reason, first_at, last_at, topic, headers, body, last_result)
SELECT s.id, sha256(convert_to('hostile' || n, 'UTF8')), 'wrong_signature', m.at, m.at, t,
    jsonb_build_object('content-type', t, 'x-event', t),
    CASE WHEN n % 3 = 0 THEN convert_to(t, 'UTF8') ELSE convert_to(jsonb_build_object(t, t)::text, 'UTF8') END, t
FROM made m, hookfast_data.sources s WHERE s.name = 'partner';

-- What people write is shown to others.
INSERT INTO hookfast_data.audit_log (at, actor, action, target, details, on_behalf_of)
SELECT m.at, 'hookfast', 'handler.paused', t, jsonb_build_object('why', t), t FROM made m;
INSERT INTO hookfast_data.retention_holds (event_id, why, held_by, held_at) SELECT id, t, t, at FROM made;
UPDATE hookfast_data.handlers SET paused_why = t FROM text_ WHERE n = 1 AND name = 'billing';
UPDATE hookfast_data.handlers SET retired_why = t FROM text_ WHERE n = 3 AND name = 'analytics';
UPDATE hookfast_data.replays SET why = t, requested_by = t FROM text_ WHERE n = 2;
INSERT INTO hookfast_data.processes (owner, roles, version, started_at, seen_at, not_ready, handlers, sources)
SELECT 'host ' || n || t, '{worker}', t, m.at, m.at + interval '1 day', t, '{shop}', '{airalo}' FROM made m WHERE n <=
    5;
SELECT hookfast_data.raise_alert('hookfast.delivery.dead', 'hostile:' || n, jsonb_build_object('delivery_id', 5000000
    + n, 'event_id', id,
    'handler', 'shop', 'reason', t, 'error', t, 'why', t)) FROM made;
COMMIT;
ANALYZE;
