-- What happened to one thing: found by what people know of it, told in order, explained handler by handler; held, and
-- erased.

CREATE FUNCTION hookfast_data.subscribes(types text[], sources text[], source text, type text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- News goes to who names it: a handler of everything is one of everybody else's events.
    RETURN CASE WHEN source = 'hookfast'
        THEN EXISTS (SELECT FROM unnest(types) AS p WHERE hookfast_data.type_matches(p, type)
            AND ('hookfast' = ANY (sources) OR sources IS NULL AND starts_with(p, 'hookfast.')))
        ELSE (sources IS NULL OR source = ANY (sources))
            AND EXISTS (SELECT FROM unnest(types) AS p WHERE hookfast_data.type_matches(p, type)) END;
COMMENT ON FUNCTION hookfast_data.subscribes IS 'Whether a subscription takes events of a source and type';

CREATE FUNCTION hookfast_data.terms(body bytea, fields text[]) RETURNS SETOF text
    LANGUAGE sql STABLE ROWS 5 AS $$
    SELECT DISTINCT left(m.value #>> '{}', 200)
    FROM (SELECT hookfast_data.as_jsonb(terms.body) AS payload WHERE cardinality(fields) > 0 AND octet_length(terms.body) <= 262144) b
    CROSS JOIN LATERAL jsonb_path_query(b.payload, 'strict $.** ? (@.type() == "object")') o
    CROSS JOIN LATERAL jsonb_each(o) m
    WHERE lower(m.key) = ANY (fields) AND jsonb_typeof(m.value) IN ('string', 'number') AND m.value <> '""'
    LIMIT 100
$$;
COMMENT ON FUNCTION hookfast_data.terms IS 'What finds an event: the values of some members of its payload, at any depth; none of a body of more than 256 KiB';

CREATE FUNCTION hookfast.find(text text) RETURNS TABLE (event_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
    SET jit = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    ours uuid[] := '{}';
    unread bigint;
BEGIN
    IF find.text ~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$' THEN
        ours := ARRAY(SELECT e.id FROM hookfast_data.events e WHERE e.id = find.text::uuid);
    END IF;
    ours := ours || ARRAY(
        SELECT k.event_id FROM hookfast_data.sources s JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id AND k.key = find.text
        UNION ALL
        SELECT t.event_id FROM hookfast_data.search_terms t WHERE t.term = left(find.text, 200));
    -- What came in the last seconds.
    ours := ours || ARRAY(
        SELECT e.id FROM (SELECT n.id, n.source_id, n.body FROM hookfast_data.events n
            WHERE n.id > (SELECT d.upto FROM hookfast_data.digest d) ORDER BY n.id DESC LIMIT 5000) e
        JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE EXISTS (SELECT FROM hookfast_data.terms(e.body, s.search_fields) t WHERE t = left(find.text, 200)));
    SELECT count(*) INTO unread FROM (SELECT FROM hookfast_data.events n
        WHERE n.id > (SELECT d.upto FROM hookfast_data.digest d) LIMIT 5001) n;
    IF unread > 5000 THEN
        RAISE WARNING 'more than 5000 new events have not been read for what finds them; of these only the newest 5000 were searched';
    END IF;
    -- And what conflicts with any of these.
    RETURN QUERY
    SELECT o FROM unnest(ours) o
    UNION
    SELECT k.event_id FROM unnest(ours) o
    CROSS JOIN LATERAL (SELECT e.source_id, e.idempotency_key FROM hookfast_data.events e WHERE e.id = o) e
    JOIN hookfast_data.idempotency_keys k ON k.source_id = e.source_id
        AND k.key >= e.idempotency_key || '#conflict:' AND k.key < e.idempotency_key || '#conflict;';
END $$;
COMMENT ON FUNCTION hookfast.find IS 'The events that somebody means: by event id, idempotency key, or the value of one of the source''s search fields (an order''s number, a request_id, an ICCID), with what conflicts with them';

CREATE FUNCTION hookfast.timeline(text text)
    RETURNS TABLE (at timestamptz, what text, event_id uuid, source text, type text, handler text, delivery_id bigint, says text)
    LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    WITH found AS MATERIALIZED (SELECT f.event_id AS id FROM hookfast.find(timeline.text) f),
    events AS MATERIALIZED (
        SELECT e.event_id, e.source, e.type, e.received_at, e.origin, e.idempotency_key, e.conflicts_with, e.verified_by, e.erased_at
        FROM found f JOIN hookfast.events e ON e.event_id = f.id
    ),
    tried AS MATERIALIZED (
        SELECT a.* FROM found f JOIN hookfast.attempts a ON a.event_id = f.id
    ),
    owed AS MATERIALIZED (
        SELECT d.* FROM hookfast.deliveries d WHERE d.event_id = ANY (ARRAY(SELECT f.id FROM found f))
            AND d.state IN ('ready', 'running', 'retrying', 'postponed', 'waiting', 'paused', 'dead')
    )
    SELECT t.* FROM (
    SELECT e.received_at AS at, CASE WHEN e.conflicts_with IS NULL THEN 'received' ELSE 'conflict' END AS what, e.event_id, e.source, e.type, NULL::text, NULL::bigint,
        e.origin || ', key ' || e.idempotency_key || coalesce(', verified by ' || e.verified_by, '') || coalesce(', conflicts with ' || e.conflicts_with, '')
    FROM events e
    UNION ALL
    SELECT e.erased_at, 'erased', e.event_id, e.source, e.type, NULL, NULL, 'payload and headers' FROM events e WHERE e.erased_at IS NOT NULL
    UNION ALL
    SELECT a.finished_at, a.outcome, a.event_id, e.source, e.type, a.handler, a.delivery_id,
        'attempt ' || a.attempt || coalesce(', ' || a.duration_ms || ' ms', '') || coalesce(': ' || coalesce(a.error, a.error_kind), '')
    FROM tried a LEFT JOIN events e ON e.event_id = a.event_id
    UNION ALL
    SELECT coalesce(d.ended_at, statement_timestamp()), CASE d.state WHEN 'dead' THEN 'dead letter' ELSE 'owed' END, d.event_id, e.source, e.type, d.handler, d.delivery_id,
        CASE d.state WHEN 'dead' THEN d.attempts || ' attempts' ELSE d.state || coalesce(', next try at ' || d.next_try_at::timestamptz(0), '') END || coalesce(': ' || d.last_error, '')
    FROM owed d LEFT JOIN events e ON e.event_id = d.event_id
    UNION ALL
    SELECT l.at, l.what, NULL, NULL, NULL, NULL, NULL, l.subject || ' by ' || l.who || coalesce(': ' || (l.details->>'why'), '')
    FROM hookfast.operator_log l JOIN (
        SELECT 'event' AS kind, f.id::text AS subject FROM found f
        UNION SELECT 'delivery', a.delivery_id::text FROM tried a UNION SELECT 'delivery', d.delivery_id::text FROM owed d
    ) s ON s.subject = l.subject
        -- Another line's subject may be a replay, or a quarantined request, of the same number.
        AND split_part(l.what, '.', 1) = s.kind
    ) t
    -- A dead letter and its last attempt are of one statement.
    ORDER BY date_trunc('milliseconds', t.at), t.what = 'dead letter', t.at
$$;
COMMENT ON FUNCTION hookfast.timeline IS 'Everything that happened to what hookfast.find finds, in order';

CREATE FUNCTION hookfast.explain(event_id uuid) RETURNS TABLE (handler text, verdict text, delivery_id bigint, says text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    happened record;
BEGIN
    SELECT e.type, e.registry_version, s.name AS source INTO happened FROM hookfast_data.events e
    JOIN hookfast_data.sources s ON s.id = e.source_id WHERE e.id = explain.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %', explain.event_id
            USING ERRCODE = 'HF004', HINT = 'Its payload and history may have left by retention. hookfast.find looks by key, order, ICCID.';
    END IF;
    RETURN QUERY
    WITH ours AS MATERIALIZED (
        SELECT d.handler, d.delivery_id, d.state, d.attempts, d.next_try_at, d.ended_at FROM hookfast.deliveries d WHERE d.event_id = explain.event_id
    )
    SELECT h.name, CASE WHEN o.state IN ('delivered', 'dead', 'filtered', 'discarded') THEN o.state WHEN o.state IS NOT NULL THEN 'owed'
            WHEN NOT hookfast_data.subscribes(h.types, h.sources, happened.source, happened.type) THEN 'not subscribed'
            WHEN h.registered_version > happened.registry_version THEN 'came later'
            ELSE 'not owed' END,
        o.delivery_id,
        CASE WHEN o.state IN ('delivered', 'dead', 'filtered', 'discarded') THEN 'at ' || o.ended_at::timestamptz(0) || ', after ' || o.attempts || ' attempts'
            WHEN o.state IS NOT NULL THEN o.state || coalesce(', next try at ' || o.next_try_at::timestamptz(0), '') || ', ' || o.attempts || ' attempts so far'
            WHEN NOT hookfast_data.subscribes(h.types, h.sources, happened.source, happened.type) THEN 'it takes ' || array_to_string(h.types, ', ') || coalesce(' of ' || array_to_string(h.sources, ', '), '')
            WHEN h.registered_version > happened.registry_version THEN 'its subscription is of ' || h.registered_at::timestamptz(0) || '; hookfast.replay brings it the event'
            ELSE 'its subscription took it, but there is neither a delivery nor an attempt; hookfast.replay brings it the event' END
    FROM hookfast_data.handlers h LEFT JOIN ours o ON o.handler = h.name ORDER BY h.name, o.delivery_id;
END $$;
COMMENT ON FUNCTION hookfast.explain IS 'For each handler what it has to do with an event: delivered, owed, dead, filtered, discarded, not subscribed, or came later';

CREATE FUNCTION hookfast.hold(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.check_why(hold.why), hookfast_data.share_history();
    PERFORM FROM hookfast_data.events e WHERE e.id = hold.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %; nothing was changed', hold.event_id USING ERRCODE = 'HF004', HINT = 'hookfast.find looks by key, order, ICCID.';
    END IF;
    INSERT INTO hookfast_data.holds (event_id, why) VALUES (hold.event_id, hold.why) ON CONFLICT DO NOTHING;
    PERFORM hookfast_data.log('event.held', hold.event_id::text, jsonb_build_object('why', hold.why));
END $$;
COMMENT ON FUNCTION hookfast.hold IS 'Keeps an event and its history from leaving by retention';

CREATE FUNCTION hookfast.unhold(event_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hookfast_data.holds h WHERE h.event_id = unhold.event_id;
    IF NOT FOUND THEN
        RAISE 'event % is not held; nothing was changed', unhold.event_id USING ERRCODE = 'HF006', HINT = 'What is held is in hookfast.holds.';
    END IF;
    PERFORM hookfast_data.log('event.unheld', unhold.event_id::text, '{}');
END $$;
COMMENT ON FUNCTION hookfast.unhold IS 'Lets a held event leave by retention again';

-- Payload and headers; the texts of its attempts too, since a handler may have repeated what it got. What is owed still
-- needs its payload, and is left out.
CREATE FUNCTION hookfast_data.erase_events(events uuid[]) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    erased uuid[];
BEGIN
    WITH gone AS (
        UPDATE hookfast_data.events e SET body = '', headers = '{}', topic = NULL, erased_at = clock_timestamp()
        WHERE e.id = ANY (events) AND e.erased_at IS NULL RETURNING e.id
    )
    SELECT coalesce(array_agg(g.id), '{}') INTO erased FROM gone g;
    DELETE FROM hookfast_data.search_terms t WHERE t.event_id = ANY (erased);
    UPDATE hookfast_data.attempts a SET error = 'was erased' WHERE a.event_id = ANY (erased) AND a.error IS NOT NULL;
    UPDATE hookfast_data.dead_letters d SET last_error = 'was erased' WHERE d.event_id = ANY (erased) AND d.last_error IS NOT NULL;
    -- The news of a dead letter repeats its error.
    UPDATE hookfast_data.events n SET body = convert_to((convert_from(n.body, 'UTF8')::jsonb || '{"error": "was erased"}')::text, 'UTF8')
    FROM hookfast_data.attempts a JOIN hookfast_data.sources s ON s.name = 'hookfast'
    JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id AND k.key = 'dead:' || a.delivery_id || ':' || a.attempt
    WHERE a.event_id = ANY (erased) AND n.id = k.event_id AND convert_from(n.body, 'UTF8')::jsonb ? 'error';
    -- And what is kept of them elsewhere (0022).
    PERFORM hookfast_data.airalo_erased(erased);
    RETURN cardinality(erased);
END $$;
COMMENT ON FUNCTION hookfast_data.erase_events IS 'Erases payload and headers of events; answers with how many';

CREATE FUNCTION hookfast.erase(event_id uuid, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.check_why(erase.why), hookfast_data.own_history();
    PERFORM FROM hookfast_data.holds h WHERE h.event_id = erase.event_id;
    IF FOUND THEN
        RAISE 'event % is held; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006', HINT = 'hookfast.holds says why. Where that is over, hookfast.unhold first.';
    END IF;
    PERFORM FROM hookfast_data.outbox o WHERE o.event_id = erase.event_id LIMIT 1;
    IF FOUND THEN
        RAISE 'event % is still owed to a handler, which needs its payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF006', HINT = 'hookfast.explain says to whom. Let it be delivered, or discard the delivery first.';
    END IF;
    IF hookfast_data.erase_events(ARRAY[erase.event_id]) = 0 THEN
        RAISE 'no event with the id % has a payload; nothing was changed', erase.event_id
            USING ERRCODE = 'HF004', HINT = 'It may be erased already, or have left by retention.';
    END IF;
    PERFORM hookfast_data.log('event.erased', erase.event_id::text, jsonb_build_object('why', erase.why));
END $$;
COMMENT ON FUNCTION hookfast.erase IS 'Erases payload and headers of an event for good; its key, type and history stay. What is held is not erased';

CREATE FUNCTION hookfast.erase_all(
    term text DEFAULT NULL, source text DEFAULT NULL, type text DEFAULT NULL, received_after timestamptz DEFAULT NULL,
    received_before timestamptz DEFAULT NULL, payload jsonpath DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, still_owed bigint, held bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    named uuid[];
    events uuid[];
    owed uuid[];
    kept uuid[];
BEGIN
    IF num_nonnulls(erase_all.term, erase_all.source, erase_all.type, erase_all.received_after, erase_all.received_before, erase_all.payload) = 0 THEN
        RAISE 'everything there is would match; nothing was changed' USING ERRCODE = '22023', HINT = 'Say which: term, source, type, a time, or payload.';
    END IF;
    PERFORM hookfast_data.check_payload(erase_all.payload);
    -- Who only looks is in nobody's way.
    IF erase_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.own_history();
    END IF;
    IF erase_all.term IS NOT NULL THEN
        named := ARRAY(SELECT f.event_id FROM hookfast.find(erase_all.term) f);
    END IF;
    events := ARRAY(
        SELECT e.id FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE e.erased_at IS NULL AND (erase_all.term IS NULL OR e.id = ANY (named))
            AND (erase_all.received_after IS NULL OR e.id >= hookfast.id_at(erase_all.received_after))
            AND (erase_all.received_before IS NULL OR e.id < hookfast.id_at(erase_all.received_before))
            AND (erase_all.source IS NULL OR s.name = erase_all.source)
            AND (erase_all.type IS NULL OR hookfast_data.type_matches(erase_all.type, e.type))
            AND (erase_all.payload IS NULL OR hookfast_data.payload_matches(e.body, erase_all.payload))
        ORDER BY e.id);
    owed := ARRAY(SELECT DISTINCT o.event_id FROM hookfast_data.outbox o WHERE o.event_id = ANY (events));
    kept := ARRAY(SELECT h.event_id FROM hookfast_data.holds h WHERE h.event_id = ANY (events));
    events := ARRAY(SELECT e FROM unnest(events) e EXCEPT SELECT o FROM unnest(owed || kept) o ORDER BY 1);
    matching := cardinality(events);
    still_owed := cardinality(owed);
    held := cardinality(kept);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
        SELECT e.id AS event_id, e.type, e.idempotency_key, e.received_at FROM hookfast_data.events e WHERE e.id = ANY (events[:5]) ORDER BY e.id) x);
    IF erase_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, erase_all.at_most);
        changed := hookfast_data.erase_events(events);
        -- Not the term: it may be what was to be erased.
        PERFORM hookfast_data.log('events.erased', coalesce(erase_all.source, 'all'), jsonb_build_object('count', changed, 'still_owed', still_owed, 'held', held,
            'by_term', erase_all.term IS NOT NULL, 'type', erase_all.type, 'received_after', erase_all.received_after,
            'received_before', erase_all.received_before, 'first_event_ids', to_jsonb(events[:100]), 'why', erase_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.erase_all IS 'Erases payload and headers of all events that match (term as in hookfast.find) and are neither owed nor held. Without at_most it changes nothing, and says how many match, with five of them';

REVOKE ALL ON FUNCTION hookfast.find, hookfast.timeline, hookfast.explain, hookfast.hold, hookfast.unhold, hookfast.erase, hookfast.erase_all,
    hookfast_data.terms, hookfast_data.erase_events FROM PUBLIC;
