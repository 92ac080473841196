-- Delivering again what was delivered, or for the first time what a handler missed: one event at once, many as a job.

CREATE FUNCTION hookfast_data.owe_again(handler smallint, events uuid[], new_id_of bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left, due_at, ordering_key, replay_id)
    SELECT h.id, t.id, h.tries, CASE WHEN h.ordered_by IS NULL THEN now() END, CASE WHEN h.ordered_by IS NOT NULL THEN '' END, new_id_of
    FROM unnest(events) WITH ORDINALITY AS t (id, ord) JOIN hookfast_data.handlers h ON h.id = owe_again.handler ORDER BY t.ord;
    GET DIAGNOSTICS made = ROW_COUNT;
    PERFORM hookfast_data.wake_workers();
    RETURN made;
END $$;
COMMENT ON FUNCTION hookfast_data.owe_again IS 'Makes new deliveries of events; answers with how many';

CREATE FUNCTION hookfast.replay(event_id uuid, handler text, why text, new_webhook_id boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    to_handler smallint := hookfast_data.handler_id(replay.handler);
    happened record;
    replay_id bigint;
BEGIN
    PERFORM hookfast_data.check_why(replay.why), hookfast_data.share_history();
    SELECT e.erased_at INTO happened FROM hookfast_data.events e WHERE e.id = replay.event_id;
    IF NOT FOUND OR to_handler IS NULL THEN
        RAISE 'no event has the id %, or no handler was named; nothing was changed', replay.event_id
            USING ERRCODE = 'HF004', HINT = 'hookfast.find looks by key, order, ICCID. What has left by retention cannot be replayed.';
    END IF;
    IF happened.erased_at IS NOT NULL THEN
        RAISE 'the payload of event % was erased, so it cannot be replayed; nothing was changed', replay.event_id USING ERRCODE = 'HF007';
    END IF;
    INSERT INTO hookfast_data.replays (handler_id, state, after_id, upto_id, matching, replayed, per_second, new_webhook_id, why, ended_at)
    VALUES (to_handler, 'done', replay.event_id, replay.event_id, 1, 1, 1, replay.new_webhook_id, replay.why, clock_timestamp())
    RETURNING id INTO replay_id;
    PERFORM hookfast_data.owe_again(to_handler, ARRAY[replay.event_id], CASE WHEN replay.new_webhook_id THEN replay_id END);
    PERFORM hookfast_data.log('event.replayed', replay.event_id::text,
        jsonb_build_object('handler', replay.handler, 'replay_id', replay_id, 'new_webhook_id', replay.new_webhook_id, 'why', replay.why));
    RETURN replay_id;
END $$;
COMMENT ON FUNCTION hookfast.replay IS 'Delivers an event to a handler again, also to one that did not exist when it came: a new delivery. Receivers see the same webhook-id, and do nothing if they did the work before, unless new_webhook_id is asked for';

CREATE FUNCTION hookfast.replay_all(
    handler text, source text DEFAULT NULL, type text DEFAULT NULL, received_after timestamptz DEFAULT NULL, received_before timestamptz DEFAULT NULL,
    payload jsonpath DEFAULT NULL, per_second integer DEFAULT NULL, new_webhook_id boolean DEFAULT false, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (replay_id bigint, matching bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    to_handler smallint := hookfast_data.handler_id(replay_all.handler);
    after_id uuid := coalesce(hookfast.id_at(replay_all.received_after), '00000000-0000-0000-0000-000000000000');
    -- What comes from now on comes by itself.
    upto_id uuid := hookfast.id_at(least(replay_all.received_before, clock_timestamp()));
    of_source smallint := (SELECT s.id FROM hookfast_data.sources s WHERE s.name = replay_all.source);
    rate integer := replay_all.per_second;
    sampled uuid[];
BEGIN
    IF to_handler IS NULL OR replay_all.source IS NOT NULL AND of_source IS NULL THEN
        RAISE 'no handler was named, or no source is named %; nothing was changed', coalesce(replay_all.source, '(none)')
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.handler_health and hookfast.source_health.';
    END IF;
    PERFORM hookfast_data.check_payload(replay_all.payload);
    -- Half of what the handler does for live traffic, within bounds.
    rate := coalesce(rate, (SELECT greatest(10, least(200, b.per_minute / 120))::integer FROM hookfast.backlog b WHERE b.handler = replay_all.handler));
    IF rate NOT BETWEEN 1 AND 10000 THEN
        RAISE 'a replay makes 1 to 10000 deliveries a second, not %; nothing was changed', rate USING ERRCODE = '22023';
    END IF;
    SELECT count(*), (array_agg(m.id))[:5] INTO matching, sampled FROM (
        SELECT e.id FROM hookfast_data.events e
        WHERE e.id > after_id AND e.id < upto_id AND e.erased_at IS NULL
            AND (of_source IS NULL OR e.source_id = of_source)
            AND (replay_all.type IS NULL OR hookfast_data.type_matches(replay_all.type, e.type))
            AND (replay_all.payload IS NULL OR hookfast_data.payload_matches(e.body, replay_all.payload))
        ORDER BY e.id) m;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
        SELECT e.id AS event_id, e.type, e.idempotency_key, e.received_at FROM hookfast_data.events e WHERE e.id = ANY (sampled) ORDER BY e.id) x);
    IF replay_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, replay_all.at_most);
        INSERT INTO hookfast_data.replays AS r (handler_id, source, type, payload, after_id, upto_id, matching, per_second, new_webhook_id, why)
        VALUES (to_handler, replay_all.source, replay_all.type, replay_all.payload::text, after_id, upto_id, matching, rate, replay_all.new_webhook_id, coalesce(replay_all.why, ''))
        RETURNING r.id INTO replay_id;
        PERFORM hookfast_data.log('replay.started', replay_id::text, jsonb_build_object('handler', replay_all.handler, 'source', replay_all.source,
            'type', replay_all.type, 'received_after', replay_all.received_after, 'received_before', replay_all.received_before,
            'payload', replay_all.payload::text, 'matching', matching, 'per_second', rate, 'why', replay_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.replay_all IS 'Delivers all events that match to a handler again, oldest first, as a job at so many a second (by default half of what the handler does now, 10 to 200). Without at_most it starts nothing, and says how many match, with five of them. Progress is in hookfast.replays';

CREATE FUNCTION hookfast_data.turn_replay(replay_id bigint, into_state text, from_states text[], what text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    was text := (SELECT r.state FROM hookfast_data.replays r WHERE r.id = turn_replay.replay_id FOR UPDATE);
BEGIN
    IF was IS NULL THEN
        RAISE 'there is no replay %; nothing was changed', turn_replay.replay_id USING ERRCODE = 'HF004', HINT = 'They are in hookfast.replays.';
    ELSIF was <> ALL (from_states) THEN
        RAISE 'replay % is %; nothing was changed', turn_replay.replay_id, was USING ERRCODE = 'HF006', HINT = 'They are in hookfast.replays.';
    END IF;
    UPDATE hookfast_data.replays r SET state = into_state, stepped_at = clock_timestamp(),
        ended_at = CASE WHEN into_state = 'cancelled' THEN clock_timestamp() END
    WHERE r.id = turn_replay.replay_id;
    PERFORM hookfast_data.log(what, turn_replay.replay_id::text, '{}');
END $$;
COMMENT ON FUNCTION hookfast_data.turn_replay IS 'Brings a replay into another state';

CREATE FUNCTION hookfast.pause_replay(replay_id bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT hookfast_data.turn_replay(replay_id, 'paused', '{running}', 'replay.paused')
$$;
COMMENT ON FUNCTION hookfast.pause_replay IS 'Stops a replay for now; what it has made stays owed';

CREATE FUNCTION hookfast.resume_replay(replay_id bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT hookfast_data.turn_replay(replay_id, 'running', '{paused}', 'replay.resumed')
$$;
COMMENT ON FUNCTION hookfast.resume_replay IS 'Lets a paused replay go on where it stopped';

CREATE FUNCTION hookfast.cancel_replay(replay_id bigint) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT hookfast_data.turn_replay(replay_id, 'cancelled', '{running,paused}', 'replay.cancelled')
$$;
COMMENT ON FUNCTION hookfast.cancel_replay IS 'Ends a replay for good; what it has made stays owed';

-- One step: the deliveries and how far it has come are committed together, so that a crash neither skips nor repeats.
-- It makes no more than its rate allows since the last step, and none while ten seconds' worth of it waits: live
-- traffic goes first.
CREATE FUNCTION hookfast_data.step_replay(replay_id bigint, looks bigint DEFAULT 2000) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off AS $$
DECLARE
    r record;
    may bigint;
    behind bigint;
    chosen uuid[];
    looked record;
BEGIN
    SELECT x.*, s.id AS source_id INTO r FROM hookfast_data.replays x LEFT JOIN hookfast_data.sources s ON s.name = x.source
    WHERE x.id = step_replay.replay_id AND x.state = 'running' FOR UPDATE OF x SKIP LOCKED;
    IF NOT FOUND OR NOT pg_try_advisory_xact_lock_shared(x'686973746f7279'::bigint) THEN
        RETURN 0;
    END IF;
    may := floor(r.per_second * least(extract(epoch FROM clock_timestamp() - r.stepped_at), 5));
    IF may < 1 THEN
        RETURN 0;
    END IF;
    SELECT count(*) INTO behind FROM (SELECT FROM hookfast_data.outbox o
        WHERE o.handler_id = r.handler_id AND o.due_at IS NOT NULL AND o.due_at <= clock_timestamp() LIMIT 10 * r.per_second) x;
    IF behind < 10 * r.per_second THEN
        SELECT count(*) INTO behind FROM (SELECT FROM hookfast_data.outbox o
            WHERE o.handler_id = r.handler_id AND o.ordering_key = '' LIMIT 10 * r.per_second) x;
    END IF;
    IF behind >= 10 * r.per_second THEN
        UPDATE hookfast_data.replays x SET stepped_at = clock_timestamp() WHERE x.id = r.id;
        RETURN 0;
    END IF;
    WITH looked_at AS MATERIALIZED (
        SELECT e.id, e.source_id, e.type, e.body, e.erased_at FROM hookfast_data.events e
        WHERE e.id > r.after_id AND e.id < r.upto_id ORDER BY e.id LIMIT looks
    ),
    matching AS MATERIALIZED (
        SELECT l.id FROM looked_at l
        WHERE l.erased_at IS NULL AND (r.source_id IS NULL OR l.source_id = r.source_id)
            AND (r.type IS NULL OR hookfast_data.type_matches(r.type, l.type))
            AND (r.payload IS NULL OR hookfast_data.payload_matches(l.body, r.payload::jsonpath))
        ORDER BY l.id LIMIT may
    )
    SELECT count(*) AS seen, (SELECT l.id FROM looked_at l ORDER BY l.id DESC LIMIT 1) AS last,
        ARRAY(SELECT m.id FROM matching m ORDER BY m.id) AS found INTO looked FROM looked_at;
    chosen := looked.found;
    IF cardinality(chosen) > 0 THEN
        PERFORM hookfast_data.owe_again(r.handler_id, chosen, CASE WHEN r.new_webhook_id THEN r.id END);
    END IF;
    -- Where the rate cut it, the rest of what was looked at comes the next time.
    UPDATE hookfast_data.replays x SET replayed = x.replayed + cardinality(chosen), stepped_at = clock_timestamp(),
        after_id = CASE WHEN cardinality(chosen) = may THEN chosen[cardinality(chosen)] ELSE coalesce(looked.last, x.after_id) END,
        state = CASE WHEN cardinality(chosen) < may AND looked.seen < looks THEN 'done' ELSE x.state END,
        ended_at = CASE WHEN cardinality(chosen) < may AND looked.seen < looks THEN clock_timestamp() END
    WHERE x.id = r.id;
    RETURN cardinality(chosen);
END $$;
COMMENT ON FUNCTION hookfast_data.step_replay IS 'One step of a replay; answers with how many deliveries it made';

REVOKE ALL ON FUNCTION hookfast.replay, hookfast.replay_all, hookfast.pause_replay, hookfast.resume_replay, hookfast.cancel_replay,
    hookfast_data.owe_again, hookfast_data.turn_replay, hookfast_data.step_replay FROM PUBLIC;
