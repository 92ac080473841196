-- hookfast: ingest linked
-- As ingest.sql, for requests of which some have a second key, $12. No key is in the group twice. All keys of a request
-- end at one event, so that has to be known before they are written: what the snapshot knows of them is foreseen, and
-- where somebody else was faster the statement fails with 40001 and is sent again.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $12::text[])
        WITH ORDINALITY AS t (id, source_id, key, fingerprint, window_ms, type, alias, ord)
),
plain_keys AS MATERIALIZED (
    SELECT i.ord, i.source_id, n.place, n.key, i.fingerprint, i.window_ms, k.event_id AS known_id,
        CASE WHEN k.event_id IS NULL THEN 'free' WHEN k.fingerprint <> i.fingerprint THEN 'conflict'
             ELSE 'duplicate' END AS state
    FROM input i CROSS JOIN LATERAL (VALUES (1, i.key), (2, i.alias)) AS n (place, key)
    LEFT JOIN LATERAL (
        SELECT x.event_id, x.fingerprint FROM hookfast_data.idempotency_keys x
        WHERE x.source_id = i.source_id AND x.key = n.key COLLATE "C" AND (x.expires_at <= now()) IS NOT TRUE LIMIT 1
    ) k ON true
    WHERE n.key IS NOT NULL
),
keys AS MATERIALIZED (
    TABLE plain_keys
    UNION ALL
    SELECT p.ord, p.source_id, p.place + 2, n.key, p.fingerprint, p.window_ms, k.event_id,
        CASE WHEN k.event_id IS NULL THEN 'free' ELSE 'duplicate' END
    FROM plain_keys p CROSS JOIN LATERAL (VALUES (p.key || '#conflict:' || p.fingerprint)) AS n (key)
    LEFT JOIN LATERAL (
        SELECT x.event_id FROM hookfast_data.idempotency_keys x
        WHERE x.source_id = p.source_id AND x.key = n.key COLLATE "C" AND (x.expires_at <= now()) IS NOT TRUE LIMIT 1
    ) k ON true
    WHERE p.state = 'conflict'
),
-- The same content under any of the keys is the same event; only then does other content under one make a conflict.
foreseen AS MATERIALIZED (
    SELECT k.ord,
        (array_agg(k.known_id ORDER BY k.place) FILTER (WHERE k.state = 'duplicate'))[1] AS known_id,
        (array_agg(k.known_id ORDER BY k.place) FILTER (WHERE k.state = 'conflict'))[1] AS first_id,
        (array_agg(k.key ORDER BY k.place) FILTER (WHERE k.place > 2))[1] AS conflict_key
    FROM keys k GROUP BY k.ord
),
-- In the order of ingest.sql, or the two deadlock: ordinary keys, then those of conflicts.
taken AS (
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    SELECT n.source_id, n.key, coalesce(f.known_id, i.id), n.fingerprint,
        clock_timestamp() + n.window_ms * interval '1 millisecond'
    FROM keys n JOIN foreseen f ON f.ord = n.ord JOIN input i ON i.ord = n.ord
    ORDER BY n.place > 2, n.source_id, n.key COLLATE "C"
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.source_id, k.key, k.event_id
),
-- A key ends where it was foreseen, or somebody else has taken it meanwhile.
settled AS MATERIALIZED (
    SELECT i.ord, bool_and(t.event_id = coalesce(n.known_id, f.known_id, i.id)) AS as_foreseen
    FROM keys n JOIN input i ON i.ord = n.ord JOIN foreseen f ON f.ord = n.ord
    JOIN taken t ON t.source_id = n.source_id AND t.key = n.key COLLATE "C"
    GROUP BY i.ord
),
verdicts AS MATERIALIZED (
    SELECT i.ord, i.id, i.source_id, i.type || CASE WHEN v.is_conflict THEN '.conflict' ELSE '' END AS type,
        CASE WHEN v.is_conflict THEN f.conflict_key ELSE i.key END AS key,
        CASE WHEN v.is_conflict THEN f.first_id END AS conflicts_with,
        CASE WHEN s.as_foreseen THEN coalesce(f.known_id, i.id)
             ELSE hookfast_data.key_was_taken() END AS event_id,
        CASE WHEN f.known_id IS NOT NULL THEN 'duplicate' WHEN v.is_conflict THEN 'conflict'
             ELSE 'stored' END AS verdict
    FROM input i JOIN foreseen f ON f.ord = i.ord JOIN settled s ON s.ord = i.ord
    CROSS JOIN LATERAL (SELECT f.known_id IS NULL AND f.first_id IS NOT NULL AS is_conflict) v
),
