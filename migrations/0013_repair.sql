-- What operators do with deliveries. Each function says what it did in operator_log, and works in any transaction: what
-- is rolled back never was. Those that may touch many first say how many, and act when they are told how many at most.

-- Errors, beside HF001 to HF004: HF005 more match than were allowed, HF006 not in this state, HF007 erased.

CREATE FUNCTION hookfast_data.log(what text, subject text, details jsonb) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, log.what, log.subject, jsonb_strip_nulls(log.details))
$$;
COMMENT ON FUNCTION hookfast_data.log IS 'A line of the operator log';

-- Workers look back to when this transaction began: what it makes due commits late.
CREATE FUNCTION hookfast_data.wake_workers() RETURNS void
    LANGUAGE sql AS $$ SELECT pg_notify('hookfast_wake', floor(extract(epoch FROM now()) * 1000000)::bigint::text) $$;
COMMENT ON FUNCTION hookfast_data.wake_workers IS 'Tells the workers, at the commit, that deliveries came late';

-- Held together by whatever relies on a payload being there (retries, replays), alone by what takes payloads away.
CREATE FUNCTION hookfast_data.share_history() RETURNS void
    LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock_shared(x'686973746f7279'::bigint) $$;
COMMENT ON FUNCTION hookfast_data.share_history IS 'Keeps payloads from being taken away until this transaction ends';

CREATE FUNCTION hookfast_data.own_history() RETURNS void
    LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(x'686973746f7279'::bigint) $$;
COMMENT ON FUNCTION hookfast_data.own_history IS 'Keeps everybody who relies on payloads away until this transaction ends';

CREATE FUNCTION hookfast_data.handler_id(handler text) RETURNS smallint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    found smallint := (SELECT h.id FROM hookfast_data.handlers h WHERE h.name = handler_id.handler);
BEGIN
    IF found IS NULL AND handler_id.handler IS NOT NULL THEN
        RAISE 'no handler is named %; nothing was changed', handler_id.handler
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.handler_health.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION hookfast_data.handler_id IS 'A handler''s id; null is null, an unknown name is an error';

CREATE FUNCTION hookfast_data.check_at_most(matching bigint, at_most bigint) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF matching > at_most THEN
        RAISE '% match, and at most % were allowed; nothing was changed', matching, at_most
            USING ERRCODE = 'HF005', HINT = 'Look again without at_most, and call it with what you then allow.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_at_most IS 'Raises where more match than were allowed';

CREATE FUNCTION hookfast_data.check_why(why text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(btrim(why), '') = '' THEN
        RAISE 'why is empty; nothing was changed' USING ERRCODE = '22023', HINT = 'Say it for those who read operator_log later.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_why IS 'Raises where nobody said why';

CREATE FUNCTION hookfast_data.check_payload(payload jsonpath) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM hookfast_data.check_filter(payload::text);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE 'payload is a path that finds something, but says neither true nor false; nothing was changed'
        USING ERRCODE = '22023', HINT = 'Write a predicate: $.data.quantity > 1, or exists($.sims[*] ? (@.iccid starts with "89")).';
END $$;
COMMENT ON FUNCTION hookfast_data.check_payload IS 'Raises where a jsonpath is no predicate: nothing would match it';

-- Dead letters back into the outbox: the same deliveries, their attempts' numbers go on.
--
-- Of an ordered handler that skips dead letters the sequencer gives them their keys, as it does to what comes in: nobody
-- sees before the commit that they are owed, and others of their keys run meanwhile. Where dead letters hold their keys
-- nothing of these moves before the commit, so they are put before what waits at once, lest that is woken first.
CREATE FUNCTION hookfast_data.revive(deliveries bigint[], tries integer) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    revived bigint;
    held record;
BEGIN
    -- Of two retries that free the same key neither would see that the other does, and neither would wake it.
    PERFORM pg_advisory_xact_lock(x'686f6c64'::integer, h.id::integer) FROM hookfast_data.handlers h
    WHERE h.on_dead = 'hold' AND h.id IN (
        SELECT d.handler_id FROM unnest(deliveries) AS t (id) JOIN hookfast_data.dead_letters d ON d.delivery_id = t.id)
    ORDER BY h.id;
    WITH gone AS (
        DELETE FROM hookfast_data.dead_letters d USING unnest(deliveries) AS t (id) WHERE d.delivery_id = t.id RETURNING d.*
    ),
    owed AS (
        SELECT g.*, coalesce(revive.tries, h.tries) AS tries, CASE WHEN h.ordered_by IS NULL THEN NULL
            WHEN h.on_dead = 'hold' THEN coalesce(g.ordering_key, '') ELSE '' END AS key
        FROM gone g JOIN hookfast_data.handlers h ON h.id = g.handler_id
    )
    INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempt, tries_left, lost, due_at, ordering_key, replay_id)
    SELECT o.handler_id, o.delivery_id, o.event_id, o.attempt, o.tries, 0,
        CASE WHEN o.key IS NULL THEN now() WHEN o.key <> '' THEN 'infinity' END, o.key, o.replay_id
    FROM owed o ORDER BY o.delivery_id;
    GET DIAGNOSTICS revived = ROW_COUNT;
    FOR held IN
        SELECT o.handler_id, array_agg(DISTINCT o.ordering_key) AS keys FROM unnest(deliveries) AS t (id)
        JOIN hookfast_data.handlers h ON h.ordered_by IS NOT NULL
        JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = t.id AND o.ordering_key <> '' GROUP BY 1
    LOOP
        PERFORM hookfast_data.wake(held.handler_id, held.keys);
    END LOOP;
    PERFORM hookfast_data.wake_workers();
    RETURN revived;
END $$;
COMMENT ON FUNCTION hookfast_data.revive IS 'Moves dead letters back into the outbox; answers with how many';

-- The dead letters that meet a filter. Not locked: who only looks is in nobody's way, and may be read-only.
CREATE FUNCTION hookfast_data.dead_matching(
    handler text, type text, died_after timestamptz, died_before timestamptz, error text, payload jsonpath)
    RETURNS TABLE (delivery_id bigint, event_id uuid, handler_id smallint, ordering_key text, erased boolean)
    LANGUAGE sql AS $$
    SELECT d.delivery_id, d.event_id, d.handler_id, d.ordering_key, e.erased_at IS NOT NULL
    FROM hookfast_data.dead_letters d
    LEFT JOIN LATERAL (SELECT x.type, x.body, x.erased_at FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
    WHERE (dead_matching.handler IS NULL OR d.handler_id = hookfast_data.handler_id(dead_matching.handler))
        AND (dead_matching.died_after IS NULL OR d.died_at >= dead_matching.died_after)
        AND (dead_matching.died_before IS NULL OR d.died_at < dead_matching.died_before)
        AND (dead_matching.error IS NULL OR d.last_error ILIKE dead_matching.error)
        AND (dead_matching.type IS NULL OR hookfast_data.type_matches(dead_matching.type, e.type))
        AND (dead_matching.payload IS NULL OR hookfast_data.payload_matches(e.body, dead_matching.payload))
    ORDER BY d.delivery_id
$$;
COMMENT ON FUNCTION hookfast_data.dead_matching IS 'The dead letters that meet a filter, in the order of their ids';

CREATE FUNCTION hookfast.retry(delivery_id bigint, tries integer DEFAULT NULL, why text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dead record;
BEGIN
    PERFORM hookfast_data.share_history();
    SELECT d.event_id, e.erased_at INTO dead FROM hookfast_data.dead_letters d
    LEFT JOIN LATERAL (SELECT x.erased_at FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
    WHERE d.delivery_id = retry.delivery_id FOR UPDATE OF d;
    IF NOT FOUND THEN
        RAISE 'delivery % is no dead letter; nothing was changed', retry.delivery_id
            USING ERRCODE = 'HF006', HINT = 'It may be owed again already, or was discarded: see hookfast.deliveries. To deliver again what was delivered, use hookfast.replay.';
    END IF;
    IF dead.erased_at IS NOT NULL THEN
        RAISE 'the payload of delivery % was erased, so it cannot be tried again; nothing was changed', retry.delivery_id
            USING ERRCODE = 'HF007', HINT = 'hookfast.discard ends it.';
    END IF;
    IF retry.tries NOT BETWEEN 1 AND 1000 THEN
        RAISE 'tries are 1 to 1000, not %; nothing was changed', retry.tries USING ERRCODE = '22023';
    END IF;
    PERFORM hookfast_data.revive(ARRAY[retry.delivery_id], retry.tries);
    PERFORM hookfast_data.log('delivery.retried', retry.delivery_id::text,
        jsonb_build_object('event_id', dead.event_id, 'tries', retry.tries, 'why', retry.why));
END $$;
COMMENT ON FUNCTION hookfast.retry IS 'Tries a dead letter again: the same delivery, with the handler''s tries or so many';

CREATE FUNCTION hookfast.retry_all(
    handler text DEFAULT NULL, type text DEFAULT NULL, died_after timestamptz DEFAULT NULL, died_before timestamptz DEFAULT NULL,
    error text DEFAULT NULL, payload jsonpath DEFAULT NULL, tries integer DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letters bigint[];
BEGIN
    PERFORM hookfast_data.share_history(), hookfast_data.handler_id(retry_all.handler), hookfast_data.check_payload(retry_all.payload);
    IF retry_all.tries NOT BETWEEN 1 AND 1000 THEN
        RAISE 'tries are 1 to 1000, not %; nothing was changed', retry_all.tries USING ERRCODE = '22023';
    END IF;
    SELECT coalesce(array_agg(m.delivery_id) FILTER (WHERE NOT m.erased), '{}') INTO letters FROM hookfast_data.dead_matching(
        retry_all.handler, retry_all.type, retry_all.died_after, retry_all.died_before, retry_all.error, retry_all.payload) m;
    matching := cardinality(letters);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM (
        SELECT * FROM hookfast.dead_letters x WHERE x.delivery_id = ANY (letters[:5]) ORDER BY x.delivery_id) d);
    IF retry_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, retry_all.at_most);
        PERFORM FROM hookfast_data.dead_letters d WHERE d.delivery_id = ANY (letters) ORDER BY d.delivery_id FOR UPDATE;
        changed := hookfast_data.revive(letters, retry_all.tries);
        PERFORM hookfast_data.log('deliveries.retried', coalesce(retry_all.handler, 'all'), jsonb_build_object('count', changed,
            'type', retry_all.type, 'died_after', retry_all.died_after, 'died_before', retry_all.died_before,
            'error', retry_all.error, 'payload', retry_all.payload::text, 'tries', retry_all.tries, 'why', retry_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.retry_all IS 'Tries all dead letters again that match; error is an ILIKE pattern, type a type pattern, payload a jsonpath predicate. Without at_most it changes nothing, and says how many match, with five of them';

-- Ends deliveries, dead or owed and not running, without running them. The history keeps them as discarded.
CREATE FUNCTION hookfast_data.end_unrun(deliveries bigint[], why text) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    ended bigint;
    handlers smallint[];
    keys text[];
    ordered record;
BEGIN
    WITH dead AS (
        DELETE FROM hookfast_data.dead_letters d USING unnest(deliveries) AS t (id) WHERE d.delivery_id = t.id
        RETURNING d.handler_id, d.delivery_id AS id, d.event_id, d.attempt, d.ordering_key
    ),
    owed AS (
        DELETE FROM hookfast_data.outbox o USING (
            SELECT x.handler_id, x.id FROM unnest(deliveries) AS t (id) CROSS JOIN hookfast_data.handlers h
            CROSS JOIN LATERAL (SELECT y.handler_id, y.id FROM hookfast_data.outbox y
                WHERE y.handler_id = h.id AND y.id = t.id AND y.locked_by IS NULL FOR UPDATE SKIP LOCKED) x
        ) l WHERE o.handler_id = l.handler_id AND o.id = l.id
        RETURNING o.handler_id, o.id, o.event_id, o.attempt, o.ordering_key
    ),
    gone AS (SELECT * FROM dead UNION ALL SELECT * FROM owed),
    tried AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, error)
        SELECT g.event_id, g.id, g.attempt + 1, g.handler_id, 'discarded', end_unrun.why FROM gone g
        WHERE EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = g.event_id)
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), array_agg(g.handler_id) FILTER (WHERE g.ordering_key <> ''), array_agg(g.ordering_key) FILTER (WHERE g.ordering_key <> '')
    INTO ended, handlers, keys FROM gone g;
    -- In a statement of its own, which sees that they are gone.
    FOR ordered IN SELECT w.handler_id, array_agg(DISTINCT w.key) AS keys FROM unnest(handlers, keys) AS w (handler_id, key) GROUP BY 1 LOOP
        PERFORM hookfast_data.wake(ordered.handler_id, ordered.keys);
        PERFORM hookfast_data.wake_workers();
    END LOOP;
    RETURN ended;
END $$;
COMMENT ON FUNCTION hookfast_data.end_unrun IS 'Ends deliveries that are dead or wait, without running them; answers with how many';

CREATE FUNCTION hookfast.discard(delivery_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state text;
BEGIN
    PERFORM hookfast_data.check_why(discard.why);
    IF hookfast_data.end_unrun(ARRAY[discard.delivery_id], discard.why) = 0 THEN
        SELECT CASE WHEN o.locked_by IS NULL THEN 'is just being changed by somebody else' ELSE 'is running' END INTO state FROM hookfast_data.handlers h JOIN hookfast_data.outbox o
            ON o.handler_id = h.id AND o.id = discard.delivery_id;
        RAISE 'delivery % %; nothing was changed', discard.delivery_id, coalesce(state, 'is neither owed nor a dead letter')
            USING ERRCODE = 'HF006', HINT = 'Its state is in hookfast.deliveries. One that is running can be discarded once its attempt has ended.';
    END IF;
    PERFORM hookfast_data.log('delivery.discarded', discard.delivery_id::text, jsonb_build_object('why', discard.why));
END $$;
COMMENT ON FUNCTION hookfast.discard IS 'Ends a delivery that is dead, or owed and not running: it is not tried any more';

CREATE FUNCTION hookfast.discard_all(
    handler text DEFAULT NULL, type text DEFAULT NULL, died_after timestamptz DEFAULT NULL, died_before timestamptz DEFAULT NULL,
    error text DEFAULT NULL, payload jsonpath DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    letters bigint[] := ARRAY(SELECT m.delivery_id FROM hookfast_data.dead_matching(discard_all.handler, discard_all.type,
        discard_all.died_after, discard_all.died_before, discard_all.error, discard_all.payload) m);
BEGIN
    PERFORM hookfast_data.handler_id(discard_all.handler), hookfast_data.check_payload(discard_all.payload);
    matching := cardinality(letters);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM (
        SELECT * FROM hookfast.dead_letters x WHERE x.delivery_id = ANY (letters[:5]) ORDER BY x.delivery_id) d);
    IF discard_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, discard_all.at_most);
        PERFORM FROM hookfast_data.dead_letters d WHERE d.delivery_id = ANY (letters) ORDER BY d.delivery_id FOR UPDATE;
        changed := hookfast_data.end_unrun(letters, discard_all.why);
        PERFORM hookfast_data.log('deliveries.discarded', coalesce(discard_all.handler, 'all'), jsonb_build_object('count', changed,
            'type', discard_all.type, 'died_after', discard_all.died_after, 'died_before', discard_all.died_before,
            'error', discard_all.error, 'payload', discard_all.payload::text, 'why', discard_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.discard_all IS 'Ends all dead letters that match; the filter is that of hookfast.retry_all. Without at_most it changes nothing, and says how many match, with five of them';

CREATE FUNCTION hookfast.postpone(delivery_id bigint, until timestamptz, why text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owed record;
BEGIN
    IF postpone.until IS NULL OR NOT isfinite(postpone.until) THEN
        RAISE 'a delivery is postponed to a time, not to %; nothing was changed', coalesce(postpone.until::text, 'null') USING ERRCODE = '22023';
    END IF;
    SELECT o.handler_id, o.locked_by, o.due_at, o.ordering_key INTO owed FROM hookfast_data.handlers h
    JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = postpone.delivery_id FOR UPDATE OF o;
    IF NOT FOUND OR owed.locked_by IS NOT NULL OR owed.due_at = 'infinity' OR owed.ordering_key = '' THEN
        RAISE 'delivery % %; nothing was changed', postpone.delivery_id, CASE WHEN NOT FOUND THEN 'is not owed'
            WHEN owed.locked_by IS NOT NULL THEN 'is running' ELSE 'waits for its key already' END
            USING ERRCODE = 'HF006', HINT = 'Its state is in hookfast.deliveries. Of an ordered handler, postpone the first of the key: the others wait for it.';
    END IF;
    -- Never before this transaction, which is as far as workers look back.
    UPDATE hookfast_data.outbox o SET due_at = greatest(postpone.until, now()) WHERE o.handler_id = owed.handler_id AND o.id = postpone.delivery_id;
    PERFORM hookfast_data.wake_workers();
    PERFORM hookfast_data.log('delivery.postponed', postpone.delivery_id::text, jsonb_build_object('until', postpone.until, 'why', postpone.why));
END $$;
COMMENT ON FUNCTION hookfast.postpone IS 'Lets a delivery that is ready or retrying wait until a time; now() tries it at once';

CREATE FUNCTION hookfast.postpone_all(handler text, until timestamptz, type text DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_handler smallint := hookfast_data.handler_id(postpone_all.handler);
    owed bigint[];
BEGIN
    IF of_handler IS NULL OR postpone_all.until IS NULL OR NOT isfinite(postpone_all.until) THEN
        RAISE 'it takes a handler and a time; nothing was changed' USING ERRCODE = '22023';
    END IF;
    owed := ARRAY(SELECT o.id FROM hookfast_data.outbox o
        WHERE o.handler_id = of_handler AND o.locked_by IS NULL AND o.due_at IS DISTINCT FROM 'infinity' AND o.ordering_key IS DISTINCT FROM ''
            AND (postpone_all.type IS NULL OR hookfast_data.type_matches(postpone_all.type, (SELECT e.type FROM hookfast_data.events e WHERE e.id = o.event_id))));
    matching := cardinality(owed);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM (
        SELECT x.delivery_id, x.event_id, x.state, x.attempts, x.next_try_at FROM hookfast.deliveries x
        WHERE x.handler = postpone_all.handler AND x.state IN ('ready', 'retrying', 'postponed', 'paused') AND x.delivery_id = ANY (owed[:5])) d);
    IF postpone_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, postpone_all.at_most);
        -- What is just being claimed or settled is left out.
        UPDATE hookfast_data.outbox o SET due_at = greatest(postpone_all.until, now()) FROM (
            SELECT x.handler_id, x.id FROM unnest(owed) AS t (id) CROSS JOIN LATERAL (
                SELECT y.handler_id, y.id FROM hookfast_data.outbox y WHERE y.handler_id = of_handler AND y.id = t.id
                    AND y.locked_by IS NULL AND y.due_at IS DISTINCT FROM 'infinity' AND y.ordering_key IS DISTINCT FROM ''
                FOR UPDATE SKIP LOCKED) x
        ) l WHERE o.handler_id = l.handler_id AND o.id = l.id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM hookfast_data.wake_workers();
        PERFORM hookfast_data.log('deliveries.postponed', postpone_all.handler,
            jsonb_build_object('count', changed, 'until', postpone_all.until, 'type', postpone_all.type, 'why', postpone_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.postpone_all IS 'Lets all deliveries of a handler that are ready or retrying wait until a time; now() tries them at once. Without at_most it changes nothing, and says how many match';

-- As they were, with the error and the hint of all others where there is no such handler.
CREATE OR REPLACE FUNCTION hookfast.pause(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.check_why(pause.why);
    UPDATE hookfast_data.handlers h SET paused_at = clock_timestamp(), paused_why = pause.why
    WHERE h.name = pause.handler AND h.paused_at IS NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.handler_id(pause.handler);
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, 'handler.paused', pause.handler, jsonb_build_object('why', pause.why));
END $$;

CREATE OR REPLACE FUNCTION hookfast.resume(handler text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = NULL, paused_why = NULL
    WHERE h.name = resume.handler AND h.paused_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM hookfast_data.handler_id(resume.handler);
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject) VALUES (session_user, 'handler.resumed', resume.handler);
END $$;

CREATE FUNCTION hookfast.pause_all(why text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    handler text;
    paused bigint := 0;
BEGIN
    PERFORM hookfast_data.check_why(pause_all.why);
    FOR handler IN SELECT h.name FROM hookfast_data.handlers h WHERE h.paused_at IS NULL ORDER BY h.name LOOP
        PERFORM hookfast.pause(handler, pause_all.why);
        paused := paused + 1;
    END LOOP;
    RETURN paused;
END $$;
COMMENT ON FUNCTION hookfast.pause_all IS 'Stops dispatch to every handler; intake goes on. Answers with how many it paused';

CREATE FUNCTION hookfast.resume_all() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    handler text;
    resumed bigint := 0;
BEGIN
    FOR handler IN SELECT h.name FROM hookfast_data.handlers h WHERE h.paused_at IS NOT NULL ORDER BY h.name LOOP
        PERFORM hookfast.resume(handler);
        resumed := resumed + 1;
    END LOOP;
    RETURN resumed;
END $$;
COMMENT ON FUNCTION hookfast.resume_all IS 'Lets every paused handler go on. Answers with how many it resumed';

REVOKE ALL ON FUNCTION hookfast.retry, hookfast.retry_all, hookfast.discard, hookfast.discard_all, hookfast.postpone, hookfast.postpone_all,
    hookfast.pause_all, hookfast.resume_all, hookfast_data.log, hookfast_data.wake_workers, hookfast_data.share_history, hookfast_data.own_history,
    hookfast_data.handler_id, hookfast_data.check_at_most, hookfast_data.check_why, hookfast_data.check_payload, hookfast_data.revive,
    hookfast_data.dead_matching, hookfast_data.end_unrun FROM PUBLIC;
