-- hookfast: ingest
-- Stores one group of verified requests: keys, then events, then deliveries. Each request gets its verdict.
-- $1 event ids, $2 source ids, $3 keys, $4 fingerprints, $5 windows in milliseconds, $6 types, $7 topics,
-- $8 labels of the secrets, $9 headers as JSON text, $10 bodies, $11 the origin of all
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[])
        WITH ORDINALITY AS t (id, source_id, key, fingerprint, window_ms, type, ord)
),
-- Always an update, with the old values unless the key has expired: only then does one statement return a new, an
-- expired and a known key, even if another transaction has just committed it. All statements take keys in the same
-- order, or they would deadlock. The expiry is tested three times, so with a clock that stands still: now().
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
