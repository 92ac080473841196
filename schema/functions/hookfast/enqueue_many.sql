-- The same as hookfast.enqueue for each payload, in one statement. Planned for the number of payloads: a plan for ten
-- of them compares each of a thousand with all others.
CREATE OR REPLACE FUNCTION hookfast.enqueue_many(
    source text, type text, payloads jsonb[], idempotency_keys text[] DEFAULT NULL,
    headers jsonb DEFAULT '{}', topic text DEFAULT NULL, key_expires_in interval DEFAULT NULL)
    RETURNS TABLE (place bigint, event_id uuid, verdict text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan SET jit = off
    SET standard_conforming_strings = on SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    from_source record := hookfast_data.check_enqueued(enqueue_many.source, enqueue_many.type);
    most integer := 10000;
    wrong bigint;
    ids uuid[];
    bodies bytea[];
    keys text[];
    places bigint[];
    events uuid[];
    verdicts text[];
    conflict uuid;
BEGIN
    IF enqueue_many.payloads IS NULL OR cardinality(enqueue_many.payloads) > most
        OR cardinality(enqueue_many.idempotency_keys) <> cardinality(enqueue_many.payloads)
    THEN
        RAISE 'payloads has % and idempotency_keys % elements; nothing was enqueued',
            coalesce(cardinality(enqueue_many.payloads)::text, 'no'),
            coalesce(cardinality(enqueue_many.idempotency_keys)::text, 'no')
            USING ERRCODE = '22023', HINT = 'Pass at most ' || most || ' payloads, and a key for each or no keys.';
    END IF;
    SELECT t.place INTO wrong FROM unnest(enqueue_many.payloads) WITH ORDINALITY AS t (payload, place)
        WHERE t.payload IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE 'payload % is null; nothing was enqueued', wrong
            USING ERRCODE = '22004', HINT = 'Pass a JSON null as ''null''.';
    END IF;
    IF enqueue_many.payloads = '{}' THEN
        RETURN;
    END IF;
    SELECT array_agg(t.id ORDER BY t.place), array_agg(convert_to(t.payload::text, 'UTF8') ORDER BY t.place),
            array_agg(hookfast_data.enqueued_key(t.key, t.id) ORDER BY t.place)
        INTO ids, bodies, keys
    FROM (SELECT u.payload, u.key, u.place, hookfast_data.new_event_id() AS id
        FROM unnest(enqueue_many.payloads, enqueue_many.idempotency_keys) WITH ORDINALITY AS u (payload, key, place)
        OFFSET 0) t;
    PERFORM hookfast_data.ensure_partition(ids[1]), hookfast_data.ensure_partition(ids[cardinality(ids)]);
    WITH input AS MATERIALIZED (
        SELECT t.place, t.id, t.key, encode(sha256(t.body), 'hex') AS fingerprint
        FROM unnest(ids, keys, bodies) WITH ORDINALITY AS t (id, key, body, place)
    ),
    -- As in src/store/sql/ingest.sql: keys are taken in one order, ordinary ones first.
    first_keys AS (
        INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
        SELECT DISTINCT ON (i.key COLLATE "C") from_source.id, i.key, i.id, i.fingerprint,
            now() + enqueue_many.key_expires_in
        FROM input i ORDER BY i.key COLLATE "C", i.place
        ON CONFLICT (source_id, key) DO UPDATE SET
            event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
            fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
            expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
        RETURNING k.key, k.event_id, k.fingerprint
    ),
    judged AS MATERIALIZED (
        SELECT i.place, i.id, i.key, i.fingerprint, k.event_id AS first_id,
            CASE WHEN k.event_id = i.id THEN 'stored' WHEN k.fingerprint <> i.fingerprint THEN 'conflict'
                ELSE 'duplicate' END AS verdict
        FROM input i JOIN first_keys k ON k.key = i.key COLLATE "C"
    ),
    conflict_keys AS (
        INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
        SELECT DISTINCT ON (j.key COLLATE "C", j.fingerprint COLLATE "C") from_source.id,
            j.key || '#conflict:' || j.fingerprint, j.id, j.fingerprint, now() + enqueue_many.key_expires_in
        FROM judged j WHERE j.verdict = 'conflict'
        ORDER BY j.key COLLATE "C", j.fingerprint COLLATE "C", j.place
        ON CONFLICT (source_id, key) DO UPDATE SET
            event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
            expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
        RETURNING k.key, k.event_id
    ),
    judgements AS MATERIALIZED (
        SELECT j.place, j.id, j.key, NULL::uuid AS conflicts_with, j.first_id AS event_id, j.verdict
        FROM judged j WHERE j.verdict <> 'conflict'
        UNION ALL
        SELECT j.place, j.id, c.key, j.first_id, c.event_id,
            CASE WHEN c.event_id = j.id THEN 'conflict' ELSE 'duplicate' END
        FROM judged j JOIN conflict_keys c ON c.key = (j.key || '#conflict:' || j.fingerprint) COLLATE "C"
        WHERE j.verdict = 'conflict'
    ),
    new_events AS (
        INSERT INTO hookfast_data.events
            (id, source_id, subscription_version, conflicts_with, type, origin, idempotency_key, topic, headers, body)
        SELECT j.id, from_source.id, (SELECT r.version FROM hookfast_data.subscription_version r), j.conflicts_with,
            enqueue_many.type || CASE WHEN j.verdict = 'conflict' THEN '.conflict' ELSE '' END, 'enqueue', j.key,
            left(enqueue_many.topic, 200), coalesce(enqueue_many.headers, '{}'), bodies[j.place]
        FROM judgements j WHERE j.event_id = j.id
    ),
    -- Due from the start of this transaction, as in hookfast.enqueue.
    pending AS (
        INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key)
        SELECT h.id, j.id, h.max_attempts, CASE WHEN h.ordered_by IS NULL THEN now() END,
            CASE WHEN h.ordered_by IS NOT NULL THEN '' END
        FROM judgements j
        JOIN (VALUES ('stored', enqueue_many.type), ('conflict', enqueue_many.type || '.conflict')) t (verdict, type)
            ON t.verdict = j.verdict
        JOIN hookfast_data.handlers h ON h.kind <> 'airalo' AND h.retired_at IS NULL
            AND hookfast_data.subscribes(h.types, h.sources, enqueue_many.source, t.type)
        WHERE j.event_id = j.id
        ORDER BY j.place
    )
    SELECT array_agg(j.place ORDER BY j.place), array_agg(j.event_id ORDER BY j.place),
            array_agg(j.verdict ORDER BY j.place)
        INTO places, events, verdicts FROM judgements j;
    IF from_source.search_fields <> '{}' THEN
        INSERT INTO hookfast_data.search_terms (term, event_id)
        SELECT x.term, ids[p.place]
        FROM unnest(places, verdicts) AS p (place, verdict)
        CROSS JOIN LATERAL unnest(CASE WHEN octet_length(bodies[p.place]) > 1048576 THEN '{""}'
            ELSE ARRAY(SELECT hookfast_data.search_terms_of(enqueue_many.payloads[p.place],
                from_source.search_fields)) END) AS x (term)
        WHERE p.verdict <> 'duplicate'
        ON CONFLICT DO NOTHING;
    END IF;
    FOR conflict IN SELECT e.id FROM unnest(events, verdicts) AS e (id, verdict) WHERE e.verdict = 'conflict' LOOP
        PERFORM hookfast_data.conflict_alert(conflict);
    END LOOP;
    INSERT INTO hookfast_data.pending_counts (subject, counter, value)
    SELECT 'source:' || enqueue_many.source, v.verdict, count(*) FROM unnest(verdicts) AS v (verdict)
    GROUP BY v.verdict;
    PERFORM hookfast_data.wake_workers();
    RETURN QUERY SELECT p.place, p.event_id, p.verdict
        FROM unnest(places, events, verdicts) AS p (place, event_id, verdict);
END $$;
COMMENT ON FUNCTION hookfast.enqueue_many IS
    'Stores events of one type inside the caller''s own transaction, up to 10000 at once: a rollback removes them '
    'too. Returns for each payload, by its place from 1, the verdict (stored, duplicate or conflict) and the event''s '
    'id; for a duplicate, the id of the first event';
REVOKE ALL ON FUNCTION hookfast.enqueue_many FROM PUBLIC;
