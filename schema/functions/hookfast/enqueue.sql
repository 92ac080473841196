CREATE OR REPLACE FUNCTION hookfast.enqueue(
    source text, type text, payload jsonb, idempotency_key text DEFAULT NULL,
    headers jsonb DEFAULT '{}', topic text DEFAULT NULL, key_expires_in interval DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    from_source record := hookfast_data.check_enqueued(enqueue.source, enqueue.type);
    event uuid := hookfast_data.new_event_id();
    body bytea := convert_to(enqueue.payload::text, 'UTF8');
    fingerprint text := encode(sha256(body), 'hex');
    key text := hookfast_data.enqueued_key(enqueue.idempotency_key, event);
    first record;
    of_conflict record;
    event_type text := enqueue.type;
    first_event uuid;
BEGIN
    IF body IS NULL THEN
        RAISE 'the payload is null; nothing was enqueued'
            USING ERRCODE = '22004', HINT = 'Pass a JSON null as ''null''.';
    END IF;
    PERFORM hookfast_data.ensure_partition(event);
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
    VALUES (from_source.id, key, event, fingerprint, now() + enqueue.key_expires_in)
    ON CONFLICT (source_id, key) DO UPDATE SET
        event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
        fingerprint = CASE WHEN k.expires_at <= now() THEN excluded.fingerprint ELSE k.fingerprint END,
        expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
    RETURNING k.event_id, k.fingerprint INTO first;
    IF first.event_id <> event THEN
        IF first.fingerprint = fingerprint THEN
            INSERT INTO hookfast_data.pending_counts (subject, counter) VALUES ('source:' || enqueue.source,
                'duplicate');
            RETURN first.event_id;
        END IF;
        -- The same key with other content is a conflict and becomes an event of its own.
        first_event := first.event_id;
        key := key || '#conflict:' || fingerprint;
        event_type := event_type || '.conflict';
        INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, fingerprint, expires_at)
        VALUES (from_source.id, key, event, fingerprint, now() + enqueue.key_expires_in)
        ON CONFLICT (source_id, key) DO UPDATE SET
            event_id = CASE WHEN k.expires_at <= now() THEN excluded.event_id ELSE k.event_id END,
            expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
        RETURNING k.event_id INTO of_conflict;
        IF of_conflict.event_id <> event THEN
            INSERT INTO hookfast_data.pending_counts (subject, counter) VALUES ('source:' || enqueue.source,
                'duplicate');
            RETURN of_conflict.event_id;
        END IF;
    END IF;
    INSERT INTO hookfast_data.events
        (id, source_id, subscription_version, conflicts_with, type, origin, idempotency_key, topic, headers, body)
    VALUES (event, from_source.id, (SELECT r.version FROM hookfast_data.subscription_version r), first_event,
        event_type, 'enqueue',
        key,
        left(enqueue.topic, 200), coalesce(enqueue.headers, '{}'), body);
    -- This transaction may commit late. The deliveries are due from its start, so that all deliveries of one
    -- transaction share one notification. It is sent at the commit and contains how far back the workers search.
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key)
    SELECT h.id, event, h.max_attempts, CASE WHEN h.ordered_by IS NULL THEN now() END,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END
    FROM hookfast_data.handlers h
    WHERE h.kind <> 'airalo' AND h.retired_at IS NULL
        AND hookfast_data.subscribes(h.types, h.sources, enqueue.source, event_type);
    -- The indexer of new events could miss this event, since this transaction may commit at any time.
    IF from_source.search_fields <> '{}' THEN
        -- A longer body is marked and not read, like the body of a webhook (src/store/index_events.rs).
        INSERT INTO hookfast_data.search_terms (term, event_id)
        SELECT t, event FROM unnest(CASE WHEN octet_length(body) > 1048576 THEN '{""}'
            ELSE ARRAY(SELECT hookfast_data.search_terms_of(enqueue.payload, from_source.search_fields)) END) t
        ON CONFLICT DO NOTHING;
    END IF;
    IF first_event IS NOT NULL THEN
        PERFORM hookfast_data.conflict_alert(event);
    END IF;
    INSERT INTO hookfast_data.pending_counts (subject, counter)
    VALUES ('source:' || enqueue.source, CASE WHEN first_event IS NULL THEN 'stored' ELSE 'conflict' END);
    PERFORM hookfast_data.wake_workers();
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast.enqueue IS
    'Stores an event inside the caller''s own transaction: a rollback removes it too. Returns the event''s id; for a '
    'duplicate, the id of the first event';
REVOKE ALL ON FUNCTION hookfast.enqueue FROM PUBLIC;
