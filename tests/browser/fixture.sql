-- A database that shows every state of every page of the console. Nothing runs on it but the console, so it stays as it
-- is; times are relative to now. psql runs it after `hookfast migrate`, and in a transaction of its own.
BEGIN;
SELECT setseed(0.42);

-- Each day that has events needs partitions; migrate creates only the coming ones.
SELECT hookfast_data.ensure_partition(hookfast_data.event_id_at(now() - interval '1 day' * d)) FROM generate_series(0,
    3) d;

INSERT INTO hookfast_data.sources (name, kind, search_fields, secret_fields, registered_at, configured_at) VALUES
    ('airalo', 'airalo', '{request_id,id,code,iccid,description}',
        '{lpa,matching_id,qrcode,qrcode_url,direct_apple_installation_url,confirmation_code}', now() - interval
            '90 days', now()),
    ('github', 'hmac', '{number,full_name}', '{}', now() - interval '30 days', now()),
    ('stripe', 'hmac', '{id,customer}', '{client_secret}', now() - interval '30 days', now()),
    ('orders', 'sql', '{order_number}', '{}', now() - interval '30 days', now()),
    ('partner', 'standard_webhooks', '{}', '{}', now() - interval '3 hours', now()),
    ('legacy', 'hmac', '{}', '{}', now() - interval '200 days', now() - interval '2 days');

INSERT INTO hookfast_data.handlers (name, kind, types, sources, max_attempts, registered_version, registered_at,
    ordered_by, filter)
VALUES
    ('shop', 'http', '{airalo.*}', '{airalo}', 12, 1, now() - interval '90 days', NULL, NULL),
    ('airalo_orders', 'airalo', '{airalo.*}', NULL, 12, 1, now() - interval '90 days', NULL, NULL),
    ('crm', 'http', '{airalo.order.*}', NULL, 7, 1, now() - interval '60 days', '{description}', NULL),
    ('billing', 'pull', '{stripe.*,orders.*}', '{stripe,orders}', 12, 1, now() - interval '60 days', '{customer}',
        NULL),
    ('deployments', 'http', '{github.*}', '{github}', 5, 1, now() - interval '30 days', NULL, '$.draft == false'),
    ('mailer', 'http', '{airalo.low_data.*,orders.*}', NULL, 8, 1, now() - interval '30 days', NULL, NULL),
    ('ledger', 'sql', '{orders.*}', '{orders}', 12, 1, now() - interval '20 days', NULL, NULL),
    ('search', 'http', '{orders.*}', '{orders}', 12, 1, now() - interval '20 days', NULL, NULL),
    ('analytics', 'http', '{*}', NULL, 12, 1, now() - interval '80 days', NULL, NULL);

-- Events. An id is chosen by its time and a number, so that a clone of this database has the same ids.
CREATE FUNCTION pg_temp.id(n integer, at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT overlay(md5(n::text) PLACING left(hookfast_data.event_id_at(at)::text, 14) || '7' || lpad(to_hex(n % 4096),
        3, '0')
        || '-9' || substr(md5('x' || n), 1, 3) || '-' || substr(md5('y' || n), 1, 12) FROM 1 FOR 36)::uuid
$$;
CREATE TEMP TABLE made (n integer PRIMARY KEY, id uuid NOT NULL, source text, type text, key text, at timestamptz,
    body bytea,
    headers jsonb, origin text DEFAULT 'webhook', topic text, conflicts_with integer, verified_by text);

INSERT INTO made (n, at, source, type, key, body, topic, verified_by, id, headers)
SELECT n, at, 'airalo', 'airalo.order.completed', 'order:request-' || n || ':completed',
    convert_to(jsonb_pretty(jsonb_build_object('request_id', 'request-' || n, 'data', jsonb_build_object('id', 700000
        + n,
        'code', '20261129-' || 700000 + n, 'description', 'Order ' || 1000 + n, 'quantity', 1, 'package_id',
            'hello-7days-1gb',
        'package', 'Hello, 1 GB, 7 days', 'validity', 7, 'data', '1 GB', 'currency', 'USD', 'price', 4.5, 'net_price',
            3.6,
        'created_at', to_char(at - interval '9 seconds', 'YYYY-MM-DD HH24:MI:SS'), 'sims',
            jsonb_build_array(jsonb_build_object(
            'id', 11000 + n, 'iccid', '8944' || lpad(n::text, 15, '0'), 'lpa', 'lpa.example.com', 'matching_id',
                'MATCH-' || n,
            'qrcode', 'LPA:1$lpa.example.com$MATCH-' || n))))), 'UTF8'), 'async_orders', 'current', pg_temp.id(n, at),
    '{"content-type": "application/json", "user-agent": "Airalo", "airalo-signature": "0123abcd"}'
FROM (SELECT n, now() - interval '74 seconds' * n - interval '1 second' AS at FROM generate_series(1, 140) n) x;
INSERT INTO made (n, at, source, type, key, body, topic, verified_by, id, headers)
SELECT n, at, 'airalo', (ARRAY['airalo.order.failed', 'airalo.low_data.75', 'airalo.credit_limit.80'])[1 + n % 3],
    'news:' || n,
    convert_to(CASE n % 3 WHEN 0
        THEN jsonb_build_object('request_id', 'request-failed-' || n, 'reason',
            'The package is not available in this region.')
        WHEN 1 THEN jsonb_build_object('iccid', '8944' || lpad((n - 200)::text, 15, '0'), 'package',
            'Hello, 1 GB, 7 days',
            'level', '75%', 'remaining_percentage', 25)
        ELSE jsonb_build_object('threshold', '80%', 'remaining', 225.35, 'message',
            'You have used 80% of your credit.') END::text,
        'UTF8'), 'notifications', 'current', pg_temp.id(n, at), '{"content-type": "application/json"}'
FROM (SELECT n, now() - interval '5 minutes' * (n - 200) - interval '20 seconds' AS at FROM generate_series(201, 215)
    n) x;
INSERT INTO made (n, at, source, type, key, body, verified_by, id, headers, origin)
SELECT n, at, (ARRAY['github', 'stripe', 'orders'])[1 + n % 3],
    (ARRAY['github.pull_request.opened', 'stripe.invoice.paid', 'orders.placed'])[1 + n % 3],
    'delivery-' || n, convert_to(CASE n % 3
        WHEN 0 THEN jsonb_build_object('action', 'opened', 'number', n, 'draft', n % 2 = 0)
        WHEN 1 THEN jsonb_build_object('id', 'in_' || n, 'customer', 'cus_' || n % 7, 'client_secret', 'very secret',
            'amount', n)
        ELSE jsonb_build_object('order_number', n, 'total', '19.90') END::text, 'UTF8'),
    CASE WHEN n % 3 < 2 THEN 'current' END, pg_temp.id(n, at), '{"content-type": "application/json"}',
    CASE WHEN n % 3 = 2 THEN 'enqueue' ELSE 'webhook' END
FROM (SELECT n, now() - interval '3 minutes' * (n - 300) - interval '40 seconds' AS at FROM generate_series(301, 350)
    n) x;
INSERT INTO made (n, at, source, type, key, body, topic, verified_by, id, headers, origin, conflicts_with)
SELECT n, at, source, type, key, body, topic, verified, pg_temp.id(n, at), headers::jsonb, origin, conflicts_with FROM
    (VALUES
    -- A double purchase: the request of another event, with another order.
    (401, now() - interval '4 minutes', 'airalo', 'airalo.order.completed.conflict',
        'order:request-5:completed#conflict:9f2c',
        convert_to('{"request_id": "request-5", "data": {"id": 799999, '
            '"code": "20261129-799999", "description": "Order 1005", '
            '"quantity": 1, "package_id": "hello-7days-1gb", "package": "Hello, 1 GB, 7 days", "sims": '
            '[{"id": 91, "iccid": "8944999999999999999", "lpa": "lpa.example.com", "matching_id": "MATCH-X"}]}}',
                'UTF8'),
        'async_orders', 'current', '{"content-type": "application/json"}', 'webhook', 5),
    (402, now() - interval '50 minutes', 'airalo', 'airalo.order.completed.conflict',
        'order:request-60:completed#conflict:11aa',
        convert_to('{"request_id": "request-60", "data": {"id": 799998, "description": "Order 1060"}}', 'UTF8'),
            'async_orders',
        'current', '{"content-type": "application/json"}', 'webhook', 60),
    -- Bodies that are not the usual JSON.
    (403, now() - interval '6 minutes', 'partner', 'partner.note', 'note-403',
        convert_to('{"z": 1, "a": 1e400, "a": -0, "n": '
        '1970670598291982290, "deep": [[[[{"x": null}]]]], "text": "ü ‮ hidden ' || chr(8203) ||
            ' 𝄞", "empty": {}, "list": []}', 'UTF8'),
        'a/b', 'previous', '{"content-type": "application/json; charset=utf-8"}', 'webhook', NULL),
    (404, now() - interval '7 minutes', 'partner', 'partner.text', 'note-404', convert_to('plain text,'
        || E'\n' || 'in two lines', 'UTF8'), NULL, 'current', '{"content-type": "text/plain"}', 'webhook', NULL),
    (405, now() - interval '8 minutes', 'partner', 'partner.bytes', 'note-405', decode('ff00fe01c0ffee0a', 'hex'),
        NULL, 'current',
        '{"content-type": "application/octet-stream"}', 'webhook', NULL),
    (406, now() - interval '9 minutes', 'partner', 'partner.large', 'note-406', convert_to('{"rows": ['
        || (SELECT string_agg('{"row": ' || r || ', "text": "' || repeat('word ', 12) || '"}', ', ') FROM
            generate_series(1, 3000) r)
        || ']}', 'UTF8'), NULL, 'current', '{"content-type": "application/json"}', 'webhook', NULL),
    (407, now() - interval '11 minutes', 'airalo', 'airalo.order.completed', 'order:request-api:completed',
        convert_to('{"request_id": '
        '"request-api", "data": {"id": 798000, "description": "Order 990", "quantity": 1, "package": '
        '"Hello, 1 GB, 7 days", "sims": '
        '[{"id": 92, "iccid": "8944888888888888888", "lpa": "lpa.example.com"}]}}', 'UTF8'), NULL, NULL, '{}', 'api',
            NULL),
    (408, now() - interval '13 minutes', 'github', 'github.push', 'approved-408',
        convert_to('{"ref": "refs/heads/main"}', 'UTF8'),
        NULL, NULL, '{"content-type": "application/json"}', 'quarantine', NULL),
    -- Nobody subscribes to this one.
    (409, now() - interval '14 minutes', 'partner', 'partner.unrouted', 'note-409', convert_to('{}', 'UTF8'), NULL,
        'current', '{}',
        'webhook', NULL)
) x (n, at, source, type, key, body, topic, verified, headers, origin, conflicts_with);

INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, conflicts_with, type, origin,
    idempotency_key,
    topic, verified_by, headers, body)
SELECT m.id, s.id, 1, m.at, c.id, m.type, m.origin, m.key, m.topic, m.verified_by, m.headers, m.body
FROM made m JOIN hookfast_data.sources s ON s.name = m.source LEFT JOIN made c ON c.n = m.conflicts_with;
INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT e.source_id, e.idempotency_key, e.id
    FROM hookfast_data.events e;
UPDATE hookfast_data.subscription_version SET version = 1, changed_at = now() - interval '20 days';
SELECT hookfast_data.mark_not_indexed(id, 'it could not be read') FROM made WHERE n = 405;
INSERT INTO hookfast_data.search_terms (term, event_id)
SELECT DISTINCT t.term, m.id FROM made m CROSS JOIN LATERAL (VALUES ('request-' || m.n), ((700000 + m.n)::text),
    ('Order ' || 1000 + m.n),
    ('8944' || lpad(m.n::text, 15, '0'))) t (term) WHERE m.n <= 140;
INSERT INTO hookfast_data.search_terms (term, event_id) SELECT t, m.id FROM made m, unnest(ARRAY['request-5',
    'Order 1005']) t WHERE m.n = 401;
UPDATE hookfast_data.event_cursors SET upto = hookfast_data.event_id_at(now());

-- Deliveries. Those of one event and handler have one id, n * 10 and a digit for the handler.
CREATE FUNCTION pg_temp.attempt(n integer, handler text, number integer, outcome text, seconds integer, took integer
    DEFAULT 14,
    status integer DEFAULT NULL, error text DEFAULT NULL, error_kind text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, finished_at,
        duration_ms, status,
        error, error_kind)
    SELECT m.id, n * 10 + h.id, number, h.id, outcome, m.at + interval '1 second' * seconds, took, status, error,
        error_kind
    FROM made m, hookfast_data.handlers h WHERE m.n = attempt.n AND h.name = handler
$$;
CREATE FUNCTION pg_temp.dead(n integer, handler text, reason text, error text, number integer, seconds integer)
    RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason,
        last_error, died_at, announced)
    SELECT n * 10 + h.id, h.id, m.id, number, 0, reason, error, m.at + interval '1 second' * seconds, true
    FROM made m, hookfast_data.handlers h WHERE m.n = dead.n AND h.name = handler
$$;
CREATE FUNCTION pg_temp.pending(n integer, handler text, due text, number integer DEFAULT 0, left_ integer DEFAULT 5,
    key text DEFAULT NULL, lease bigint DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempt_number, attempts_left, due_at, ordering_key,
        lease_id)
    SELECT h.id, n * 10 + h.id, m.id, number, left_, CASE WHEN due = 'infinity' THEN due::timestamptz ELSE now() +
        due::interval END, key, lease
    FROM made m, hookfast_data.handlers h WHERE m.n = pending.n AND h.name = handler
$$;
CREATE FUNCTION pg_temp.lease(kind text, owner text, handlers text[], expires interval, since interval) RETURNS bigint
    LANGUAGE sql AS $$
    INSERT INTO hookfast_data.leases (kind, owner, handlers, registered_at, expires_at)
    SELECT kind, owner, ARRAY(SELECT h.id FROM hookfast_data.handlers h WHERE h.name = ANY (handlers)), now() - since,
        now() + expires
    RETURNING id
$$;
CREATE TEMP TABLE leased AS SELECT
    pg_temp.lease('worker', 'worker-1:4711', '{shop,airalo_orders,crm,mailer,ledger,search,billing}', '1 day',
        '3 hours') AS worker,
    pg_temp.lease('pull', 'billing-job:77', '{billing}', '1 day', '2 minutes') AS pull,
    pg_temp.lease('worker', 'worker-2:99', '{deployments}', '-10 minutes', '1 day') AS gone;

SELECT pg_temp.attempt(n, 'airalo_orders', 1, 'delivered', 0, 3) FROM made WHERE source = 'airalo';
SELECT pg_temp.attempt(n, 'shop', 1, 'delivered', 0, 8 + n % 40, 200) FROM made
    WHERE source = 'airalo' AND n NOT IN (1, 2, 3, 7) AND n NOT BETWEEN 30 AND 44;
SELECT pg_temp.attempt(n, 'crm', 1, 'delivered', 1, 120, 204) FROM made WHERE type LIKE 'airalo.order.%' AND n BETWEEN
    45 AND 140;
-- The circuit of crm is open: its newest deliveries wait.
SELECT pg_temp.attempt(n, 'crm', 1, 'retry', 30, 10000, NULL, 'no response within 10 s', 'timeout') FROM
    generate_series(20, 26) n;
SELECT pg_temp.pending(n, 'crm', 4 * (n % 5 + 1) || ' minutes', 1, 6, 'Order ' || 1000 + n) FROM generate_series(20,
    26) n;
SELECT pg_temp.pending(n, 'crm', 'infinity', 0, 7, 'Order 1020') FROM generate_series(10, 12) n;
UPDATE hookfast_data.handlers SET breaker_opened_at = now() - interval '25 minutes', breaker_until = now() + interval
    '3 minutes'
    WHERE name = 'crm';
-- Running, ready, and repeated deliveries of shop.
SELECT pg_temp.pending(1, 'shop', '-2 seconds', 1, 11, NULL, (SELECT worker FROM leased));
SELECT pg_temp.attempt(2, 'shop', 1, 'retry', 10, 812, 503, 'status 503: the shop is being deployed, try again',
    'status');
SELECT pg_temp.attempt(2, 'shop', 2, 'retry', 40, 790, 503, 'status 503: the shop is being deployed, try again',
    'status');
SELECT pg_temp.pending(2, 'shop', '2 minutes', 2, 10);
SELECT pg_temp.pending(3, 'shop', '-1 seconds');
SELECT pg_temp.attempt(7, 'shop', 1, 'lost', 15, NULL, NULL, 'the worker''s lease expired', 'lost');
SELECT pg_temp.pending(7, 'shop', '30 seconds', 1, 11);
-- Dead letters of every kind.
SELECT pg_temp.attempt(n, 'shop', 12, 'dead', 60, 30, status, error, kind), pg_temp.dead(n, 'shop', reason, error, 12,
    60) FROM (VALUES
    (30, 500, 'status 500: {"message": "Undefined index: sims"}', 'status', 'attempts_exhausted'),
    (31, 500, 'status 500: {"message": "Undefined index: sims"}', 'status', 'attempts_exhausted'),
    (32, 500, 'status 500: {"message": "Undefined index: sims"}', 'status', 'attempts_exhausted'),
    (33, NULL, 'no response within 15 s', 'timeout', 'attempts_exhausted'),
    (34, NULL, 'shop.example.com: certificate has expired', 'tls', 'attempts_exhausted'),
    (35, NULL, 'shop.example.com: no such host', 'name_resolution', 'attempts_exhausted'),
    (36, NULL, '10.0.0.7 is a private address', 'address_blocked', 'rejected'),
    (37, NULL, 'connection refused', 'connection_refused', 'attempts_exhausted'),
    (38, NULL, 'connection reset by peer', 'connection_broken', 'attempts_exhausted'),
    (39, NULL, 'the response has more than 64 KiB', 'response_too_large', 'attempts_exhausted'),
    (40, 422, 'status 422: unknown package', 'status', 'rejected'),
    (41, NULL, 'the lease expired four times', 'lost', 'lost'),
    (42, NULL, 'not an HTTP response', 'invalid_response', 'attempts_exhausted'),
    (43, NULL, 'task panicked at src/orders.rs:17', 'panic', 'attempts_exhausted'),
    (44, 301, 'status 301: redirects are not followed', 'status', 'attempts_exhausted')) x (n, status, error, kind,
        reason);
SELECT pg_temp.attempt(n, 'mailer', 8, 'dead', 300, 40, 550, 'status 550: mailbox ' || n || ' is full', 'status'),
    pg_temp.dead(n, 'mailer', 'attempts_exhausted', 'status 550: mailbox ' || n || ' is full', 8, 300)
    FROM made WHERE type = 'orders.placed';
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error,
    died_at, announced)
    SELECT 9999999, id, pg_temp.id(9999, now() - interval '40 days'), 0, 0, 'event_missing', NULL, now() - interval
        '1 hour', true
    FROM hookfast_data.handlers WHERE name = 'shop';
-- A discarded and filtered deliveries; deliveries of handlers that are paused, unserved, behind, failing.
SELECT pg_temp.attempt(346, 'mailer', 9, 'discarded', 400);
SELECT pg_temp.attempt(n, 'deployments', 1, 'filtered', 0, 0) FROM made WHERE source = 'github' AND n > 330;
SELECT pg_temp.pending(n, 'deployments', '-30 minutes') FROM made WHERE source = 'github' AND n BETWEEN 301 AND 330;
SELECT pg_temp.pending(n, 'billing', '-20 minutes', 0, 12, 'cus_' || n % 7) FROM made WHERE source = 'stripe' AND n <
    330;
SELECT pg_temp.pending(n, 'ledger', '-12 minutes', 0, 12) FROM made WHERE source = 'orders' AND n < 310;
SELECT pg_temp.attempt(n, 'search', 1, 'retry', 10, 25, 502, 'status 502: bad gateway', 'status'), pg_temp.pending(n,
    'search', '6 minutes', 1, 11)
    FROM made WHERE source = 'orders' AND n < 320;

-- The projection of Airalo's events, and expected orders in every state.
SELECT hookfast.airalo_project_event(ROW (m.id, 'airalo', m.type, m.topic, m.origin, m.at, m.key, c.id, m.headers,
    convert_from(m.body, 'UTF8')::jsonb, m.body, m.n, 1)::hookfast.event)
FROM made m LEFT JOIN made c ON c.n = m.conflicts_with WHERE m.source = 'airalo' ORDER BY m.n;
INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, placed_at, expected_by, check_at,
    checks, last_check_result,
    overdue_at, unknown_why)
SELECT s.id, x.request_id, x.description, now() - x.placed, now() - x.placed + interval '10 minutes',
    CASE WHEN x.is_open THEN now() + interval '5 minutes' END, x.checks, x.result,
    CASE WHEN x.is_overdue THEN now() - x.placed + interval '15 minutes' END, x.unknown_why
FROM hookfast_data.sources s, (VALUES
    ('waiting-1', 'Order 2001', interval '2 minutes', true, 0, NULL, false, NULL),
    ('late-1', 'Order 2002', interval '44 minutes', true, 3, 'not in Airalo''s list', true, NULL),
    ('late-2', 'Order 2003', interval '3 hours', true, 5, 'Airalo answered 503', true, NULL),
    (NULL, 'Order 2004', interval '20 minutes', true, 1, NULL, false, 'no response within 30 s'),
    ('request-9', 'Order 1009', interval '12 minutes', false, 0, NULL, false, NULL),
    ('request-30', 'Order 1030', interval '40 minutes', false, 0, NULL, false, NULL),
    ('request-5', 'Order 1005', interval '9 minutes', false, 0, NULL, false, NULL)
) x (request_id, description, placed, is_open, checks, result, is_overdue, unknown_why) WHERE s.name = 'airalo';
SELECT hookfast.acknowledge_conflict((SELECT id FROM made WHERE n = 402), 'refunded by Airalo');

-- Requests that failed verification.
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, count, first_at, last_at, topic, headers, body,
    responded_ok, whole_bytes,
    body_sha256, requested_action, requested_by, last_result)
SELECT s.id, sha256(convert_to(q.n::text, 'UTF8')), q.reason, q.n * 3 % 17 + 1, now() - interval '3 hours', now() -
    interval '3 minutes' * q.n,
    'push', '{"content-type": "application/json", "x-hub-signature-256": "sha256=00"}',
    convert_to('{"number": ' || q.n || ', "action": "opened"}', 'UTF8'), q.n = 4, CASE WHEN q.n = 3 THEN 3000000 END,
    CASE WHEN q.n = 3 THEN sha256('whole') END, CASE q.n WHEN 5 THEN 'reverify' WHEN 6 THEN 'approve' END,
    CASE WHEN q.n IN (5, 6) THEN 'cy' END, CASE WHEN q.n = 7 THEN 'still wrong_signature' END
FROM hookfast_data.sources s, (SELECT n, (ARRAY['wrong_signature', 'wrong_signature', 'too_large', 'stale_signature',
    'wrong_signature',
    'missing_signature'])[1 + (n - 1) % 6] AS reason FROM generate_series(1, 24) n) q
WHERE s.name = CASE WHEN q.n % 4 = 0 THEN 'stripe' ELSE 'github' END;

-- Counts by minute: a day, with its rhythm, and the faults of the last half hour.
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
SELECT date_trunc('minute', now()) - interval '1 minute' * m, 'source:airalo', 'stored',
    (14 + 9 * sin(m / 120.0) + 6 * random())::bigint FROM generate_series(0, 1440) m;
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
SELECT minute, 'handler:' || h, c, greatest(1, value * share)::bigint FROM hookfast_data.rollups,
    (VALUES ('shop', 'delivered', 0.9), ('airalo_orders', 'delivered', 1), ('shop', 'took_le_20', 0.8), ('shop',
        'took_le_200', 0.2),
    ('airalo_orders', 'took_le_5', 1), ('crm', 'delivered', 0.6), ('crm', 'took_le_200', 0.6)) x (h, c, share)
    WHERE h <> 'crm' OR minute < now() - interval '27 minutes';
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
SELECT date_trunc('minute', now()) - interval '1 minute' * m, subject, counter, value FROM generate_series(0, 59) m,
    (VALUES
    ('source:airalo', 'duplicate', 2, 60, 4), ('source:airalo', 'conflict', 1, 5, 4), ('source:github',
        'wrong_signature', 9, 30, 1),
    ('source:github', 'stale_signature', 1, 60, 6), ('source:github', 'stored', 3, 60, 2), ('source:stripe', 'stored',
        2, 60, 3),
    ('source:orders', 'stored', 1, 60, 3), ('source:partner', 'stored', 1, 14, 2), ('source:partner', 'not_json', 1,
        14, 7),
    ('handler:crm', 'retry', 7, 26, 1), ('handler:shop', 'dead', 1, 60, 5), ('handler:shop', 'retry', 2, 60, 3),
    ('handler:search', 'retry', 4, 12, 1), ('handler:mailer', 'dead', 2, 40, 3), ('handler:mailer', 'delivered', 5,
        60, 2),
    ('handler:deployments', 'filtered', 1, 60, 9)
) x (subject, counter, value, until, every) WHERE m <= until AND m % every = 0;

-- It stays slow while tests run: the slow attempts go on, and are few beside those before.
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
SELECT date_trunc('minute', now()) - interval '1 minute' * m, 'handler:mailer', CASE WHEN m > 5 THEN 'took_le_50' ELSE
    'took_le_2000' END,
    CASE WHEN m > 5 THEN 2000 ELSE 15 END FROM generate_series(-60, 59) m;

-- Processes: alive, not ready, gone; and who changed what.
INSERT INTO hookfast_data.processes (owner, roles, version, started_at, seen_at, not_ready, handlers, sources) VALUES
    ('worker-1:4711', '{worker}', '0.1.0', now() - interval '3 hours', now() + interval '1 hour', NULL,
        '{shop,airalo_orders,crm,mailer,ledger,search,billing}', '{airalo,github,stripe,orders,partner}'),
    ('web-1:301', '{ingress}', '0.1.0', now() - interval '2 hours', now() + interval '1 hour', NULL,
        '{shop,airalo_orders}',
        '{airalo,github,stripe,orders,partner}'),
    ('web-2:302', '{ingress}', '0.1.0', now() - interval '1 hour', now() + interval '1 hour',
        'the schema is newer than this program',
        '{}', '{airalo}'),
    ('worker-2:99', '{worker}', '0.0.9', now() - interval '1 day', now() - interval '10 minutes', NULL,
        '{deployments}', '{github}');
INSERT INTO hookfast_data.audit_log (at, actor, action, target, details, on_behalf_of) VALUES
    (now() - interval '3 hours', 'hookfast', 'schema.migrated', '12', '{"from": 11, "to": 12}', NULL),
    (now() - interval '2 hours', 'hookfast', 'handler.registered', 'search', '{"process": "worker-1:4711"}', NULL),
    (now() - interval '90 minutes', 'hookfast_web', 'delivery.retried', '301', '{"why": "the shop was repaired"}',
        'cy'),
    (now() - interval '80 minutes', 'hookfast_web', 'event.revealed', (SELECT id::text FROM made WHERE n = 9),
        '{"why": "the customer lost the QR code"}', 'bo');
SELECT hookfast.pause_handler('billing', 'the ledger is being migrated until noon');
SELECT hookfast.retire_handler('analytics', 'replaced by the warehouse', at_most => 0);
SELECT hookfast.hold_event((SELECT id FROM made WHERE n = 5), 'evidence of a double purchase');
SELECT hookfast.erase((SELECT id FROM made WHERE n = 139), 'the customer asked for it');
SELECT hookfast.reindex('orders', 'order_number is new');
INSERT INTO hookfast_data.replays (handler_id, state, source, type, cursor_id, end_id, matching, replayed, per_second,
    new_webhook_id,
    requested_by, why, requested_at, last_progress_at, ended_at)
SELECT h.id, r.state, 'airalo', 'airalo.order.*', hookfast_data.event_id_at(now() - interval '2 hours'),
    hookfast_data.event_id_at(now() - interval '1 hour'), 4000, r.replayed, 20, r.state = 'done', 'cy',
        'the CRM lost a day',
    now() - interval '50 minutes', now() - interval '1 minute', CASE WHEN r.state IN ('cancelled', 'done') THEN now()
        - interval '5 minutes' END
FROM hookfast_data.handlers h, (VALUES ('running', 1300), ('paused', 200), ('cancelled', 90), ('done', 4000)) r
    (state, replayed)
WHERE h.name = 'crm';

-- Alerts: open, resolved, and some without an end.
CREATE FUNCTION pg_temp.alert(alert_type text, subject text, payload jsonb, is_open boolean) RETURNS void LANGUAGE
    plpgsql AS $$
DECLARE
    event uuid := hookfast_data.raise_alert('hookfast.' || alert_type, alert_type || ':' || subject, payload);
BEGIN
    IF is_open THEN
        INSERT INTO hookfast_data.active_alerts (alert_type, subject, since, event_id)
        VALUES ('hookfast.' || alert_type, subject, now() - interval '20 minutes', event);
    ELSE
        PERFORM hookfast_data.raise_alert('hookfast.resolved', 'resolved:' || alert_type || ':' || subject,
            payload || jsonb_build_object('type', 'hookfast.' || alert_type, 'event_id', event));
    END IF;
END $$;
SELECT pg_temp.alert(t, s, p::jsonb, o) FROM (VALUES
    ('handler.opened', 'crm', '{"handler": "crm", "why": "10 attempts in a row failed"}', true),
    ('handler.paused', 'billing', '{"handler": "billing", "why": "the ledger is being migrated until noon"}', true),
    ('handler.unserved', 'deployments', '{"handler": "deployments"}', true),
    ('handler.behind', 'ledger', '{"handler": "ledger"}', true),
    ('handler.failing', 'search', '{"handler": "search"}', true),
    ('handler.failing', 'shop', '{"handler": "shop"}', false),
    ('source.rejecting', 'github', '{"source": "github", "rejected": 279, "stored": 20}', true),
    ('source.silent', 'legacy', '{"source": "legacy"}', false),
    ('source.unrouted', 'partner', '{"source": "partner", "unrouted": 3, "events": 7}', true)) x (t, s, p, o);
SELECT hookfast_data.conflict_alert(id) FROM made WHERE n IN (401, 402);
SELECT hookfast_data.raise_alert('hookfast.delivery.dead', 'dead:' || d.delivery_id, jsonb_build_object('delivery_id',
    d.delivery_id,
    'event_id', d.event_id, 'handler', h.name, 'reason', d.reason, 'error', d.last_error))
    FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id WHERE h.name = 'shop' LIMIT
        3;
COMMIT;
ANALYZE;
