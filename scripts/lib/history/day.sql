-- One day of the history: events at equal distances, with their keys and search terms. All are delivered to shop,
-- except the dead letters. Parameters: day (1 is yesterday), events (of this day), dead (of this day).
WITH made AS MATERIALIZED (
    SELECT n, ((current_date - ${day})::timestamp AT TIME ZONE 'UTC') + n * (interval '1 day' / (${events} + 1)) AS at,
        'r' || lpad((${day} * 10000000 + n)::text, 12, '0') AS request, md5((${day} * 10000000 + n)::text) AS random,
        n % 10000 = 0 AS conflict
    FROM generate_series(1, ${events}) n
),
ids AS MATERIALIZED (
    SELECT m.*, (lpad(to_hex(floor(extract(epoch FROM m.at) * 1000)::bigint), 12, '0') || '7' || substr(m.random, 1,
        3) || '8' || substr(m.random, 4, 15))::uuid AS id FROM made m
),
keyed AS (
    INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id, fingerprint)
    SELECT s.id, 'order:' || i.request || ':completed' || CASE WHEN i.conflict THEN '#conflict:' || i.random
        ELSE '' END, i.id, i.random
    FROM ids i, hookfast_data.sources s WHERE s.name = 'airalo'
),
stored AS (
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, conflicts_with, type, origin,
        idempotency_key, verified_by, headers, body)
    SELECT i.id, s.id, 0, i.at, CASE WHEN i.conflict THEN i.id END, 'airalo.order.completed' || CASE WHEN i.conflict
        THEN '.conflict' ELSE '' END, 'webhook',
        'order:' || i.request || ':completed' || CASE WHEN i.conflict THEN '#conflict:' || i.random ELSE '' END,
            'env:AIRALO_CLIENT_SECRET',
        '{"content-type": "application/json", "user-agent": "GuzzleHttp/7"}',
        convert_to('{"data":{"id":' || ${day} * 10000000 + i.n || ',"code":"20261123-' || ${day} * 10000000 + i.n ||
            '","currency":"USD","package_id":"change-30days-3gb","quantity":1,"type":"sim","description":"1 x sim - '
            'change-30days-3gb","sims":[{"iccid":"89' || lpad((${day} * 10000000 + i.n)::text, 17, '0')
            || '","lpa":"lpa.airalo.com","matching_id":"' || i.random || '","qrcode":"LPA:1$lpa.airalo.com$' || i.random
                || '","is_roaming":true}]},"request_id":"' || i.request || '"}', 'UTF8')
    FROM ids i, hookfast_data.sources s WHERE s.name = 'airalo'
),
termed AS (
    INSERT INTO hookfast_data.search_terms (term, event_id)
    SELECT t, i.id FROM ids i CROSS JOIN LATERAL unnest(ARRAY[i.request, (${day} * 10000000 + i.n)::text,
        '20261123-' || ${day} * 10000000 + i.n, '89' || lpad((${day} * 10000000 + i.n)::text, 17, '0')]) t
),
tried AS (
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, finished_at,
        duration_ms, status, error, error_kind)
    SELECT i.id, ${day} * 10000000 + i.n, t.attempt_number, h.id, t.outcome,
        i.at + t.attempt_number * interval '20 milliseconds', 20, CASE WHEN t.outcome = 'delivered' THEN 200
            ELSE 500 END,
        CASE WHEN t.outcome <> 'delivered' THEN 'status 500: out of order' END,
        CASE WHEN t.outcome <> 'delivered' THEN 'status' END
    FROM ids i JOIN hookfast_data.handlers h ON h.name = 'shop'
    CROSS JOIN LATERAL (
        SELECT 1 AS attempt_number, 'delivered' AS outcome WHERE i.n > ${dead}
        UNION ALL SELECT 1, 'retry' WHERE i.n <= ${dead} UNION ALL SELECT 2, 'dead' WHERE i.n <= ${dead}
    ) t
)
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error,
    died_at, announced)
SELECT ${day} * 10000000 + i.n, h.id, i.id, 2, 0, 'attempts_exhausted', 'status 500: out of order',
    i.at + interval '1 minute', true
FROM ids i JOIN hookfast_data.handlers h ON h.name = 'shop' WHERE i.n <= ${dead};
