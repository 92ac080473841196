-- hookfast: ingest
-- One group of verified requests: keys, then events, then what is owed. Each row gets its verdict.
-- $1 event ids, $2 source ids, $3 keys, $4 fingerprints, $5 windows in milliseconds, $6 types, $7 topics,
-- $8 labels of the secrets, $9 headers as JSON text, $10 bodies, $11 the origin of all
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[])
        WITH ORDINALITY AS t (id, source_id, key, fingerprint, window_ms, type, ord)
),
-- Updated always, to itself unless it expired: only so does one statement answer for a new, an expired and a
-- known key, also when another transaction has just committed it. In one order everywhere, or they deadlock.
-- Expired or not is asked three times, so by a clock that stands still: now().
first_keys AS (
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    SELECT DISTINCT ON (source_id, key COLLATE "C")
        source_id, key, id, fingerprint, clock_timestamp() + window_ms * interval '1 millisecond'
    FROM input
    ORDER BY source_id, key COLLATE "C", ord
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.source_id, k.key, k.event_id, k.fingerprint
),
judged AS MATERIALIZED (
    SELECT i.ord, i.id, i.source_id, i.type, i.key, i.fingerprint, i.window_ms, k.event_id AS first_id,
        CASE WHEN k.event_id = i.id THEN 'stored'
             WHEN k.fingerprint <> i.fingerprint THEN 'conflict'
             ELSE 'duplicate' END AS verdict
    FROM input i JOIN first_keys k ON k.source_id = i.source_id AND k.key = i.key COLLATE "C"
),
-- Sorted, so that every ordinary key is taken before the first of these.
conflict_keys AS (
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    SELECT DISTINCT ON (source_id, key COLLATE "C", fingerprint COLLATE "C")
        source_id, key || '#conflict:' || fingerprint, id, fingerprint,
        clock_timestamp() + window_ms * interval '1 millisecond'
    FROM judged WHERE verdict = 'conflict'
    ORDER BY source_id, key COLLATE "C", fingerprint COLLATE "C", ord
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.source_id, k.key, k.event_id
),
verdicts AS MATERIALIZED (
    SELECT j.ord, j.id, j.source_id, j.type, j.key, NULL::uuid AS conflicts_with, j.first_id AS event_id, j.verdict
    FROM judged j WHERE j.verdict <> 'conflict'
    UNION ALL
    SELECT j.ord, j.id, j.source_id, j.type || '.conflict', c.key, j.first_id, c.event_id,
        CASE WHEN c.event_id = j.id THEN 'conflict' ELSE 'duplicate' END
    FROM judged j
    JOIN conflict_keys c ON c.source_id = j.source_id AND c.key = (j.key || '#conflict:' || j.fingerprint) COLLATE "C"
    WHERE j.verdict = 'conflict'
),
new_events AS (
    INSERT INTO hookfast_data.events
        (id, source_id, registry_version, conflicts_with, type, origin, idempotency_key, topic, verified_by, headers,
            body)
    -- Not a join: without its row nothing may be answered as stored.
    SELECT v.id, v.source_id, (SELECT version FROM hookfast_data.registry), v.conflicts_with, v.type, $11::text, v.key,
        p.topic, p.verified_by,
        p.headers::jsonb, p.body
    FROM verdicts v
    JOIN unnest($7::text[], $8::text[], $9::text[], $10::bytea[])
        WITH ORDINALITY AS p (topic, verified_by, headers, body, ord) USING (ord)
    WHERE v.event_id = v.id
),
-- By the few kinds of event in the group, not by each event: patterns are matched once for each.
routes AS MATERIALIZED (
    SELECT k.source_id, k.type, h.id AS handler_id, h.tries,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END AS ordering_key
    FROM (SELECT DISTINCT source_id, type FROM verdicts WHERE event_id = id) k
    JOIN hookfast_data.sources s ON s.id = k.source_id
    JOIN hookfast_data.handlers h
        ON (h.sources IS NULL OR s.name = ANY (h.sources))
        AND EXISTS (SELECT FROM unnest(h.types) AS p WHERE hookfast_data.type_matches(p, k.type))
),
owed AS (
    INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left, ordering_key)
    SELECT r.handler_id, v.id, r.tries, r.ordering_key
    FROM verdicts v JOIN routes r ON r.source_id = v.source_id AND r.type = v.type
    WHERE v.event_id = v.id
    ORDER BY v.ord
)
SELECT ord, verdict, event_id FROM verdicts
