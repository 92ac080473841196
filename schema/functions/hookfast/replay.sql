CREATE OR REPLACE FUNCTION hookfast.replay(event_id uuid, handler text, why text,
    new_webhook_id boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    to_handler smallint := hookfast_data.handler_id(replay.handler);
    event record;
    replay_id bigint;
BEGIN
    PERFORM hookfast_data.require_reason(replay.why), hookfast_data.check_not_retired(to_handler),
        hookfast_data.lock_history_shared();
    SELECT e.erased_at INTO event FROM hookfast_data.events e WHERE e.id = replay.event_id;
    IF NOT FOUND OR to_handler IS NULL THEN
        RAISE 'no event has the id %, or handler is null; nothing was changed', replay.event_id
            USING ERRCODE = 'HF004',
                HINT = 'hookfast.find finds events by key, order or ICCID. Purged events cannot be replayed.';
    END IF;
    IF event.erased_at IS NOT NULL THEN
        RAISE 'the payload of event % was erased, so it cannot be replayed; nothing was changed', replay.event_id
            USING ERRCODE = 'HF007';
    END IF;
    INSERT INTO hookfast_data.replays (handler_id, state, cursor_id, end_id, matching, replayed, per_second,
        new_webhook_id, requested_by, why, ended_at)
    VALUES (to_handler, 'done', replay.event_id, replay.event_id, 1, 1, 1, replay.new_webhook_id,
        hookfast_data.caller(), replay.why, clock_timestamp())
    RETURNING id INTO replay_id;
    PERFORM hookfast_data.create_replay_deliveries(to_handler, ARRAY[replay.event_id],
        CASE WHEN replay.new_webhook_id THEN replay_id END);
    PERFORM hookfast_data.log('event.replayed', replay.event_id::text,
        jsonb_build_object('handler', replay.handler, 'replay_id', replay_id, 'new_webhook_id', replay.new_webhook_id,
            'why', replay.why));
    RETURN replay_id;
END $$;
COMMENT ON FUNCTION hookfast.replay IS
    'Delivers an event to a handler again, even if the handler did not exist when the event arrived. This is a new '
    'delivery. Receivers get the same webhook-id, so they skip work that they have already done, unless '
    'new_webhook_id is true';
REVOKE ALL ON FUNCTION hookfast.replay FROM PUBLIC;
