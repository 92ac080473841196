-- hookfast: ingest linked
-- Like ingest.sql, for groups in which some requests have an alias, $12. No key is in the group twice. All keys of a
-- request have to lead to one event, so that event has to be known before the keys are written. It is predicted from
-- the keys in the snapshot. If another transaction was faster, the statement fails with 40001 and is sent again.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $12::text[])
        WITH ORDINALITY AS t (id, source_id, key, fingerprint, window_ms, type, alias, ord)
),
plain_keys AS MATERIALIZED (
    SELECT i.ord, i.id, i.source_id, n.place, n.key, i.fingerprint, i.window_ms, k.event_id AS known_id,
        CASE WHEN k.event_id IS NULL THEN 'free' WHEN k.fingerprint <> i.fingerprint THEN 'conflict'
             ELSE 'duplicate' END AS state
    FROM input i CROSS JOIN LATERAL (VALUES (1, i.key), (2, i.alias)) AS n (place, key)
    LEFT JOIN LATERAL (
        SELECT x.event_id, x.fingerprint FROM hookfast_data.idempotency_keys x
        WHERE x.source_id = i.source_id AND x.key = n.key COLLATE "C" AND (x.expires_at <= now()) IS NOT TRUE LIMIT 1
    ) k ON true
    WHERE n.key IS NOT NULL
),
keys AS (
    TABLE plain_keys
    UNION ALL
    SELECT p.ord, p.id, p.source_id, p.place + 2, n.key, p.fingerprint, p.window_ms, k.event_id,
        CASE WHEN k.event_id IS NULL THEN 'free' ELSE 'duplicate' END
    FROM plain_keys p CROSS JOIN LATERAL (VALUES (p.key || '#conflict:' || p.fingerprint)) AS n (key)
    LEFT JOIN LATERAL (
        SELECT x.event_id FROM hookfast_data.idempotency_keys x
        WHERE x.source_id = p.source_id AND x.key = n.key COLLATE "C" AND (x.expires_at <= now()) IS NOT TRUE LIMIT 1
    ) k ON true
    WHERE p.state = 'conflict'
),
-- A request with the same content under any of its keys is the same event. Only if there is none, other content under a
-- key makes a conflict. Window functions are used, since a join of the keys with their requests may be planned as a
-- nested loop.
foreseen AS MATERIALIZED (
    SELECT k.*, (array_agg(k.known_id) FILTER (WHERE k.state = 'duplicate') OVER request)[1] AS duplicate_of,
        (array_agg(k.known_id) FILTER (WHERE k.state = 'conflict') OVER request)[1] AS first_id,
        (array_agg(k.key) FILTER (WHERE k.place > 2) OVER request)[1] AS conflict_key
    FROM keys k
    WINDOW request AS (PARTITION BY k.ord ORDER BY k.place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
),
-- In the order of ingest.sql, or the two would deadlock: ordinary keys, then those of conflicts.
taken AS (
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    SELECT f.source_id, f.key, coalesce(f.duplicate_of, f.id), f.fingerprint,
        clock_timestamp() + f.window_ms * interval '1 millisecond'
    FROM foreseen f ORDER BY f.place > 2, f.source_id, f.key COLLATE "C"
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.source_id, k.key, k.event_id
),
-- A key leads to the predicted event, unless another transaction has taken the key meanwhile.
settled AS (
    SELECT f.ord, f.duplicate_of, f.first_id, f.conflict_key,
        bool_and(t.event_id = coalesce(f.known_id, f.duplicate_of, f.id)) AS as_foreseen
    FROM foreseen f JOIN taken t ON t.source_id = f.source_id AND t.key = f.key COLLATE "C"
    GROUP BY f.ord, f.duplicate_of, f.first_id, f.conflict_key
),
verdicts AS MATERIALIZED (
    SELECT i.ord, i.id, i.source_id, i.type || CASE WHEN v.is_conflict THEN '.conflict' ELSE '' END AS type,
        CASE WHEN v.is_conflict THEN s.conflict_key ELSE i.key END AS key,
        CASE WHEN v.is_conflict THEN s.first_id END AS conflicts_with,
        CASE WHEN s.as_foreseen THEN coalesce(s.duplicate_of, i.id)
             ELSE hookfast_data.raise_key_taken() END AS event_id,
        CASE WHEN s.duplicate_of IS NOT NULL THEN 'duplicate' WHEN v.is_conflict THEN 'conflict'
             ELSE 'stored' END AS verdict
    FROM input i JOIN settled s ON s.ord = i.ord
    CROSS JOIN LATERAL (SELECT s.duplicate_of IS NULL AND s.first_id IS NOT NULL AS is_conflict) v
),
