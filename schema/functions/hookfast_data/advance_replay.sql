-- One step. The deliveries and the position are committed together, so that a crash neither skips nor repeats an event.
-- A step creates no more deliveries than its rate allows since the last step, and none while ten seconds' worth of
-- deliveries wait: live traffic has priority. The payload filter reads a bounded number of bytes of bodies, since
-- otherwise each step could exceed its statement timeout.
--
-- A replay begins when the transactions that were writing when it was requested have ended: one of them may commit an
-- event with an id that a step has already passed. A transaction that stays open delays it by ten minutes at most.
CREATE OR REPLACE FUNCTION hookfast_data.advance_replay(replay_id bigint, looks bigint DEFAULT 2000) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record;
    may bigint;
    most_bytes bigint := 8388608;
    behind bigint;
    chosen uuid[];
    looked record;
BEGIN
    SELECT x.*, s.id AS source_id INTO r FROM hookfast_data.replays x
        LEFT JOIN hookfast_data.sources s ON s.name = x.source
    WHERE x.id = advance_replay.replay_id AND x.state = 'running' FOR UPDATE OF x SKIP LOCKED;
    IF NOT FOUND OR r.requested_at > clock_timestamp() - interval '10 minutes'
        AND hookfast_data.writes_before(r.waits_for)
        OR NOT hookfast_data.try_lock_history_shared()
    THEN
        RETURN 0;
    END IF;
    -- The replay was requested while its handler was being retired, or it was resumed after that.
    PERFORM FROM hookfast_data.handlers h WHERE h.id = r.handler_id AND h.retired_at IS NOT NULL;
    IF FOUND THEN
        UPDATE hookfast_data.replays x SET state = 'cancelled', ended_at = clock_timestamp() WHERE x.id = r.id;
        RETURN 0;
    END IF;
    may := floor(r.per_second * least(extract(epoch FROM clock_timestamp() - r.last_progress_at), 5));
    IF may < 1 THEN
        RETURN 0;
    END IF;
    SELECT count(*) INTO behind FROM (SELECT FROM hookfast_data.outbox o
        WHERE o.handler_id = r.handler_id AND o.due_at IS NOT NULL AND o.due_at <= statement_timestamp()
            LIMIT 10 * r.per_second) x;
    IF behind < 10 * r.per_second THEN
        SELECT count(*) INTO behind FROM (SELECT FROM hookfast_data.outbox o
            WHERE o.handler_id = r.handler_id AND o.ordering_key = '' LIMIT 10 * r.per_second) x;
    END IF;
    IF behind >= 10 * r.per_second THEN
        UPDATE hookfast_data.replays x SET last_progress_at = clock_timestamp() WHERE x.id = r.id;
        RETURN 0;
    END IF;
    WITH next AS MATERIALIZED (
        SELECT n.*, sum(octet_length(n.body)) OVER (ORDER BY n.id) - octet_length(n.body) AS bytes_before
        FROM (SELECT e.id, e.source_id, e.type, e.body, e.erased_at FROM hookfast_data.events e
            WHERE e.id > r.cursor_id AND e.id < r.end_id ORDER BY e.id LIMIT looks) n
    ),
    looked_at AS MATERIALIZED (
        SELECT n.* FROM next n WHERE r.payload IS NULL OR n.bytes_before < most_bytes
    ),
    matching AS MATERIALIZED (
        SELECT l.id FROM looked_at l
        WHERE l.erased_at IS NULL AND (r.source_id IS NULL OR l.source_id = r.source_id)
            AND (r.type IS NULL OR hookfast_data.type_matches(r.type, l.type))
            AND (r.payload IS NULL OR hookfast_data.payload_matches(l.body, r.payload::jsonpath))
        ORDER BY l.id LIMIT may
    )
    SELECT (SELECT count(*) FROM next) = looks OR count(*) < (SELECT count(*) FROM next) AS more,
        (SELECT l.id FROM looked_at l ORDER BY l.id DESC LIMIT 1) AS last,
        ARRAY(SELECT m.id FROM matching m ORDER BY m.id) AS found INTO looked FROM looked_at;
    chosen := looked.found;
    IF cardinality(chosen) > 0 THEN
        PERFORM hookfast_data.create_replay_deliveries(r.handler_id, chosen, CASE WHEN r.new_webhook_id THEN r.id END);
    END IF;
    -- If the rate limit cut the step short, the next step reads the remaining events.
    UPDATE hookfast_data.replays x SET replayed = x.replayed + cardinality(chosen),
        last_progress_at = clock_timestamp(),
        cursor_id = CASE WHEN cardinality(chosen) = may THEN chosen[cardinality(chosen)]
            ELSE coalesce(looked.last, x.cursor_id) END,
        state = CASE WHEN cardinality(chosen) < may AND NOT looked.more THEN 'done' ELSE x.state END,
        ended_at = CASE WHEN cardinality(chosen) < may AND NOT looked.more THEN clock_timestamp() END
    WHERE x.id = r.id;
    RETURN cardinality(chosen);
END $$;
COMMENT ON FUNCTION hookfast_data.advance_replay IS 'Runs one step of a replay; returns how many deliveries it created';
REVOKE ALL ON FUNCTION hookfast_data.advance_replay FROM PUBLIC;
