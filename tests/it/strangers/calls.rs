//! A database with a canary in everything that readers may not see, and calls of every function of
//! the schema `hookfast`.

/// The value of a secret field, and a part of every text that readers may not see.
pub(super) const CANARY: &str = "canary-5e2d81";

/// The canary in a payload and in everything that repeats it. `own` has a secret field, `airalo`
/// the projection of an order.
pub(super) const WORLD: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, secret_fields, search_fields) VALUES
    ('own', 'sql', '{secret}', '{order,secret}'), ('airalo', 'airalo', '{matching_id,lpa}', '{}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by, on_dead, filter) VALUES
    ('shop', 'http', '{own.*}', 3, 0, '{secret}', 'skip', NULL), ('block', 'http', '{own.*}', 3, 0, '{secret}', 'block', NULL),
    ('stock', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', NULL), ('gone', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', NULL),
    ('picky', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', '$.secret == "canary-5e2d81" && $.n == 1'),
    ('free', 'http', '{own.*}', 3, 0, NULL, 'skip', NULL), ('paused', 'http', '{own.*}', 3, 0, NULL, 'skip', NULL);
SELECT hookfast.enqueue('own', 'own.paid', p, 'key:canary-5e2d81', '{"x-token": "canary-5e2d81"}'),
    hookfast.enqueue('own', 'own.paid', p || '{"n": 1}', 'key:canary-5e2d81'), hookfast.enqueue('own', 'own.paid', p, 'third:canary-5e2d81'),
    hookfast.enqueue('own', 'quiet.done', p, 'quiet:canary-5e2d81')
    FROM (SELECT '{"order": "o-1", "n": 2, "secret": "canary-5e2d81", "note": "scan canary-5e2d81"}'::jsonb AS p) x;
SELECT hookfast_data.assign_ordering_keys(h.id, 100) FROM hookfast_data.handlers h WHERE h.ordered_by IS NOT NULL AND h.name <> 'picky';
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, error_kind)
    SELECT o.event_id, o.id, 1, o.handler_id, 'retry', 'rejected canary-5e2d81', 'handler' FROM hookfast_data.outbox o;
UPDATE hookfast_data.outbox SET attempt_number = 1;
WITH dead AS (DELETE FROM hookfast_data.outbox o WHERE o.id IN (SELECT min(x.id) FROM hookfast_data.outbox x
    JOIN hookfast_data.handlers h ON h.id = x.handler_id WHERE h.name IN ('shop', 'block', 'free') GROUP BY h.id) RETURNING o.*)
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error)
    SELECT d.id, d.handler_id, d.event_id, 1, 0, d.ordering_key, 'rejected', 'rejected canary-5e2d81' FROM dead d;
SELECT hookfast_data.alert_dead_letters(10);
INSERT INTO hookfast_data.active_alerts (alert_type, subject, event_id, muted_at, muted_by, muted_why)
    SELECT e.type, 'shop', e.id, now(), 'mira', 'asked about canary-5e2d81' FROM hookfast_data.events e
    WHERE e.type = 'hookfast.delivery.dead' ORDER BY e.id LIMIT 1;
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body, whole_bytes, body_sha256)
    SELECT s.id, sha256(n::text::bytea), 'wrong_signature', '{"x-token": "canary-5e2d81"}', '{"secret": "canary-5e2d81"}',
        CASE n WHEN 3 THEN 100000 END, CASE n WHEN 3 THEN sha256('') END
    FROM hookfast_data.sources s CROSS JOIN generate_series(1, 3) n WHERE s.name = 'own';
SELECT hookfast.replay_all('shop', payload => '$.secret == "canary-5e2d81"', why => 'asked about canary-5e2d81', at_most => 10)
    FROM generate_series(1, 2);
SELECT hookfast.pause_replay(2, 'paused for canary-5e2d81');
SELECT hookfast.hold_event(e.id, 'a dispute about canary-5e2d81') FROM hookfast_data.events e WHERE e.idempotency_key = 'third:canary-5e2d81';
SELECT hookfast.pause_handler('paused', 'waits for canary-5e2d81');
SELECT hookfast.retire_handler('gone', 'lost canary-5e2d81', pending => 'keep', at_most => 10);
SELECT hookfast.claim('stock', 'client', 1);
INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
    SELECT hookfast_data.new_event_id(), s.id, 0, 'airalo.order.completed', 'webhook', 'order:canary-5e2d81:completed', '{}',
        '{"request_id": "r-1", "data": {"id": 1, "code": "c-1", "description": "order 4711",
            "sims": [{"iccid": "8900000000000000001", "lpa": "canary-5e2d81", "matching_id": "canary-5e2d81"}]}}'
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
SELECT hookfast.airalo_project_event((e.id, 'airalo', e.type, NULL, e.origin, e.received_at, e.idempotency_key, NULL, e.headers,
    NULL, e.body, 1, 1)::hookfast.event) FROM hookfast_data.events e WHERE e.type = 'airalo.order.completed';
SELECT hookfast.airalo_expect_order('r-2', 'order 4712', source => 'airalo');
SELECT hookfast.console_ticket();
SELECT hookfast.revoke_access(1, 'somebody saw canary-5e2d81');
"#;

/// What the calls below name, each with a query of its id.
pub(super) const IDS: [(&str, &str); 15] = [
    (
        "FIRST",
        "SELECT e.conflicts_with FROM hookfast_data.events e WHERE e.type = 'own.paid.conflict'",
    ),
    (
        "CONFLICT",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'own.paid.conflict'",
    ),
    (
        "HELD",
        "SELECT h.event_id FROM hookfast_data.retention_holds h",
    ),
    (
        "ALERT",
        "SELECT a.event_id FROM hookfast_data.active_alerts a",
    ),
    (
        "QUIET",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'quiet.done'",
    ),
    (
        "ORDER",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'airalo.order.completed'",
    ),
    (
        "DEAD",
        "SELECT d.delivery_id FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id \
            WHERE h.name = 'shop'",
    ),
    (
        "BLOCKS",
        "SELECT d.delivery_id FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id \
            WHERE h.name = 'block'",
    ),
    (
        "PENDING",
        "SELECT min(o.id) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
            WHERE h.name = 'free'",
    ),
    (
        "KEPT",
        "SELECT min(o.id) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
            WHERE h.name = 'gone'",
    ),
    (
        "LEASE",
        "SELECT o.lease_id FROM hookfast_data.outbox o WHERE o.lease_id IS NOT NULL",
    ),
    (
        "CLAIMED",
        "SELECT o.id FROM hookfast_data.outbox o WHERE o.lease_id IS NOT NULL",
    ),
    // Of the owner and of the reader.
    ("OTHERS", "SELECT min(a.id) FROM hookfast_data.access a"),
    ("ACCESS", "SELECT max(a.id) FROM hookfast_data.access a"),
    (
        "EXCERPT",
        "SELECT q.id FROM hookfast_data.quarantine q WHERE q.whole_bytes IS NOT NULL",
    ),
];

/// Calls of every function. The first succeeds, and the others show its errors and other paths.
pub(super) const CALLS: &[(&str, &[&str])] = &[
    (
        "acknowledge_conflict",
        &["'CONFLICT', 'a test'", "'QUIET', 'a test'"],
    ),
    (
        "acknowledge_conflicts",
        &[
            "",
            "type => 'own.*', received_after => now() - interval '1 day'",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "at_most => 100",
        ],
    ),
    (
        "airalo_check_order",
        &["'order 4712', 'a test'", "'order 4711', 'a test'"],
    ),
    (
        "airalo_expect_order",
        &["'r-3', 'order 4713'", "'r-1', 'order 4711'", "'', ''"],
    ),
    (
        "airalo_forget_order",
        &["'order 4712', 'a test'", "'order 4711', 'a test'"],
    ),
    (
        "airalo_project_event",
        &[
            "('ORDER', 'airalo', 'airalo.order.completed.conflict', NULL, 'webhook', now(), 'k', 'ORDER', '{}', \
                '{\"request_id\": \"r-1\", \"data\": {\"id\": 2, \"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "(NULL, 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', 'ORDER', '{}', \
                '{\"request_id\": \"r-1\", \"data\": {\"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "('ORDER', 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', \
                '{\"data\": {\"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "('ORDER', 'own', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', '{}', 'x', 1, 1)",
            "('ORDER', 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', NULL, 'x', 1, 1)",
        ],
    ),
    ("airalo_results_since", &["now(), 1"]),
    (
        "approve_quarantined",
        &["1, 'a test'", "EXCERPT, 'a test'", "99, 'a test'", "1, ''"],
    ),
    ("cancel_replay", &["1, 'a test'", "99, 'a test'", "1, ''"]),
    (
        "claim",
        &[
            "'stock', 'rita', 10",
            "'picky', 'rita', 10",
            "'gone', 'rita', 10",
            "'shop', 'rita', 10",
            "'stock', 'rita', 0",
        ],
    ),
    ("complete", &["LEASE, CLAIMED", "LEASE, DEAD", "1, 1"]),
    (
        "complete_many",
        &[
            "LEASE, ARRAY[CLAIMED]",
            "LEASE, ARRAY[CLAIMED, DEAD]",
            "1, '{1}'",
            "LEASE, NULL",
            "LEASE, '{}'",
        ],
    ),
    ("console_logout", &["'\\x01'"]),
    ("console_may_take", &["'postgres'", "NULL"]),
    ("console_redeem", &["'\\x01', sha256('')"]),
    ("console_session", &["'\\x01'"]),
    ("console_ticket", &["", "'postgres'"]),
    (
        "discard",
        &[
            "DEAD, 'a test'",
            "BLOCKS, 'a test'",
            "PENDING, 'a test'",
            "CLAIMED, 'a test'",
            "DEAD, ''",
        ],
    ),
    (
        "discard_all",
        &[
            "",
            "error => '%'",
            "payload => '$.n == 2'",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "payload => '$.secret'",
            "payload => '$.secret.double() > 1'",
            "'nowhere'",
        ],
    ),
    (
        "discard_quarantined",
        &[
            "",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
        ],
    ),
    (
        "enqueue",
        &[
            "'own', 'own.paid', '{\"order\": \"o-2\"}'",
            "'own', 'own.paid', '{\"order\": \"o-2\"}', 'key'",
            "'own', 'own paid', '{}'",
            "'airalo', 'own.paid', '{}'",
        ],
    ),
    (
        "enqueue_many",
        &[
            "'own', 'own.paid', ARRAY['{\"order\": \"o-2\"}', '1']::jsonb[]",
            "'own', 'own.paid', ARRAY['{\"order\": \"o-2\"}']::jsonb[], '{key}'",
            "'own', 'own.paid', ARRAY[NULL]::jsonb[]",
            "'own', 'own.paid', ARRAY['1']::jsonb[], '{a,b}'",
            "'own', 'own paid', '{}'",
        ],
    ),
    (
        "erase",
        &[
            "'QUIET', 'a test'",
            "'HELD', 'a test'",
            "'FIRST', 'a test'",
            "'CONFLICT', ''",
        ],
    ),
    (
        "erase_all",
        &[
            "source => 'own'",
            "term => 'o-1'",
            "payload => '$.n == 2'",
            "source => 'own', why => 'a test', at_most => 100",
            "source => 'own', why => 'a test', at_most => 0",
            "source => 'own', payload => '$.secret.datetime() > 1'",
            "",
        ],
    ),
    ("event_id_at", &["now()"]),
    ("explain", &["'FIRST'", "'CONFLICT'", "NULL"]),
    ("extend_lease", &["LEASE", "1"]),
    (
        "fail",
        &[
            "LEASE, CLAIMED, 'a test'",
            "LEASE, CLAIMED, NULL, dead => true",
            "LEASE, CLAIMED, 'a test', retry_after => '1000000 years'",
            "LEASE, DEAD, 'a test'",
        ],
    ),
    (
        "fail_many",
        &[
            "LEASE, ARRAY[CLAIMED], 'a test'",
            "LEASE, ARRAY[CLAIMED], NULL, dead => true",
            "LEASE, ARRAY[CLAIMED, DEAD], 'a test'",
            "LEASE, NULL, 'a test'",
        ],
    ),
    ("find", &["'o-1'", "'FIRST'"]),
    ("handler_id", &["'shop'", "'nobody'"]),
    (
        "hold_event",
        &["'FIRST', 'a test'", "'HELD', 'a test'", "NULL, 'a test'"],
    ),
    (
        "mute_alert",
        &["'ALERT', 'a test'", "'QUIET', 'a test'", "'ALERT', ''"],
    ),
    ("pause_all_handlers", &["'a test'", "''"]),
    (
        "pause_handler",
        &[
            "'shop', 'a test'",
            "'paused', 'a test'",
            "'gone', 'a test'",
            "'nowhere', 'a test'",
        ],
    ),
    (
        "pause_replay",
        &["1, 'a test'", "2, 'a test'", "99, 'a test'"],
    ),
    ("reindex", &["'own', 'a test'", "'nowhere', 'a test'"]),
    (
        "replay",
        &[
            "'FIRST', 'shop', 'a test'",
            "'FIRST', 'gone', 'a test'",
            "'FIRST', 'shop', 'a test', NULL",
            "NULL, 'shop', 'a test'",
        ],
    ),
    (
        "replay_all",
        &[
            "'shop'",
            "'shop', payload => '$.n == 2'",
            "'shop', why => 'a test', at_most => 100",
            "'shop', why => 'a test', at_most => 0",
            "'shop', why => 'a test', at_most => 100, new_webhook_id => NULL",
            "'shop', payload => '$.secret'",
            "'gone'",
        ],
    ),
    (
        "reschedule",
        &[
            "PENDING, now(), 'a test'",
            "KEPT, now(), 'a test'",
            "CLAIMED, now(), 'a test'",
            "PENDING, 'infinity', 'a test'",
        ],
    ),
    (
        "reschedule_all",
        &[
            "'free', now()",
            "'shop', now()",
            "'free', now(), why => 'a test', at_most => 100",
            "'free', now(), why => 'a test', at_most => 0",
            "'gone', now()",
        ],
    ),
    ("resume_all_handlers", &["'a test'"]),
    (
        "resume_handler",
        &["'paused', 'a test'", "'shop', 'a test'", "'gone', 'a test'"],
    ),
    ("resume_replay", &["2, 'a test'", "1, 'a test'"]),
    ("retention_preview", &[""]),
    (
        "retire_handler",
        &[
            "'free', 'a test'",
            "'shop', 'a test', at_most => 100",
            "'shop', 'a test', at_most => 0",
            "'gone', 'a test'",
            "'gone', 'a test', at_most => 100",
            "'stock', 'a test'",
            "'shop', 'a test', 'destroy'",
        ],
    ),
    (
        "retry",
        &[
            "DEAD, 'a test'",
            "BLOCKS, 'a test'",
            "PENDING, 'a test'",
            "DEAD, 'a test', 0",
        ],
    ),
    (
        "retry_all",
        &[
            "",
            "'free'",
            "error => '%'",
            "payload => '$.n == 2'",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "payload => '$.secret'",
            "payload => '$.secret.double() > 1'",
            "'gone'",
        ],
    ),
    (
        "reverify_quarantined",
        &[
            "",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "'nowhere'",
        ],
    ),
    (
        "reveal",
        &["'FIRST', 'a test'", "'FIRST', ''", "NULL, 'a test'"],
    ),
    (
        "revoke_access",
        &["ACCESS, 'a test'", "OTHERS, 'a test'", "ACCESS, ''"],
    ),
    ("status", &[""]),
    ("timeline", &["'o-1'", "'FIRST'"]),
    ("unhold_event", &["'HELD', 'a test'", "'FIRST', 'a test'"]),
    (
        "unmute_alert",
        &["'ALERT', 'a test'", "'QUIET', 'a test'", "'ALERT', ''"],
    ),
];

/// The functions whose result is not masked, and why.
pub(super) const UNMASKED: [(&str, &str); 2] = [
    (
        "claim",
        "a pulling client gets the payloads that it processes",
    ),
    ("reveal", "it shows a payload to the support desk"),
];
