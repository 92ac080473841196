CREATE OR REPLACE FUNCTION hookfast.replay_all(
    handler text, source text DEFAULT NULL, type text DEFAULT NULL, received_after timestamptz DEFAULT NULL,
        received_before timestamptz DEFAULT NULL,
    payload jsonpath DEFAULT NULL, per_second integer DEFAULT NULL, new_webhook_id boolean DEFAULT false,
        why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (replay_id bigint, matching bigint, sample_ids uuid[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        SET plan_cache_mode = force_custom_plan
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    to_handler smallint := hookfast_data.handler_id(replay_all.handler);
    cursor_id uuid := coalesce(hookfast.event_id_at(replay_all.received_after), '00000000-0000-0000-0000-000000000000');
    -- Events that arrive from now on are delivered without the replay.
    end_id uuid := hookfast.event_id_at(least(replay_all.received_before, clock_timestamp()));
    of_source smallint := (SELECT s.id FROM hookfast_data.sources s WHERE s.name = replay_all.source);
    rate integer := replay_all.per_second;
BEGIN
    IF to_handler IS NULL OR replay_all.source IS NOT NULL AND of_source IS NULL THEN
        RAISE 'handler is null, or no source is named %; nothing was changed',
            coalesce(replay_all.source, '(none)')
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.handler_health and hookfast.source_health.';
    END IF;
    PERFORM hookfast_data.check_payload(replay_all.payload), hookfast_data.check_not_retired(to_handler);
    -- Half of the handler's rate for live traffic, within bounds.
    rate := coalesce(rate, (SELECT greatest(10, least(200, b.per_minute / 120))::integer FROM hookfast.backlog b
        WHERE b.handler = replay_all.handler));
    IF rate NOT BETWEEN 1 AND 10000 THEN
        RAISE 'invalid per_second %: it must be 1 to 10000; nothing was changed', rate USING ERRCODE = '22023';
    END IF;
    SELECT count(*), coalesce((array_agg(m.id))[:5], '{}') INTO matching, sample_ids FROM (
        SELECT e.id FROM hookfast_data.events e
        WHERE e.id > cursor_id AND e.id < end_id AND e.erased_at IS NULL
            AND (of_source IS NULL OR e.source_id = of_source)
            AND (replay_all.type IS NULL OR hookfast_data.type_matches(replay_all.type, e.type))
            AND (replay_all.payload IS NULL OR hookfast_data.payload_matches(e.body, replay_all.payload))
        ORDER BY e.id) m;
    IF replay_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(replay_all.why);
        PERFORM hookfast_data.check_at_most(matching, replay_all.at_most);
        INSERT INTO hookfast_data.replays AS r (handler_id, source, type, payload, cursor_id, end_id, matching,
            per_second, new_webhook_id, requested_by, why)
        VALUES (to_handler, replay_all.source, replay_all.type, replay_all.payload::text, cursor_id, end_id, matching,
            rate, replay_all.new_webhook_id, hookfast_data.caller(), coalesce(replay_all.why, ''))
        RETURNING r.id INTO replay_id;
        PERFORM hookfast_data.log('replay.started', replay_id::text,
            jsonb_build_object('handler', replay_all.handler, 'source', replay_all.source,
            'type', replay_all.type, 'received_after', replay_all.received_after, 'received_before',
                replay_all.received_before,
            'payload', replay_all.payload::text, 'matching', matching, 'per_second', rate, 'why', replay_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.replay_all IS
    'Delivers all matching events to a handler again, oldest first, as a job with a rate limit (by default half of '
    'the handler''s current rate, 10 to 200 a second). Without at_most it starts nothing and returns how many match, '
    'with the ids of five of them. hookfast.replays shows the progress';
REVOKE ALL ON FUNCTION hookfast.replay_all FROM PUBLIC;
