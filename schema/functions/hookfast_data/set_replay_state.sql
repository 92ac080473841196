CREATE OR REPLACE FUNCTION hookfast_data.set_replay_state(replay_id bigint, into_state text, from_states text[],
    action text, why text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was text := (SELECT r.state FROM hookfast_data.replays r WHERE r.id = set_replay_state.replay_id FOR UPDATE);
BEGIN
    PERFORM hookfast_data.require_reason(set_replay_state.why);
    IF was IS NULL THEN
        RAISE 'there is no replay %; nothing was changed', set_replay_state.replay_id
            USING ERRCODE = 'HF004', HINT = 'See hookfast.replays.';
    ELSIF was <> ALL (from_states) THEN
        RAISE 'replay % is %; nothing was changed', set_replay_state.replay_id, was
            USING ERRCODE = 'HF006', HINT = 'See hookfast.replays.';
    END IF;
    UPDATE hookfast_data.replays r SET state = into_state, last_progress_at = clock_timestamp(),
        ended_at = CASE WHEN into_state = 'cancelled' THEN clock_timestamp() END
    WHERE r.id = set_replay_state.replay_id;
    PERFORM hookfast_data.log(set_replay_state.action, set_replay_state.replay_id::text,
        jsonb_build_object('why', set_replay_state.why));
END $$;
COMMENT ON FUNCTION hookfast_data.set_replay_state IS 'Changes the state of a replay';
REVOKE ALL ON FUNCTION hookfast_data.set_replay_state FROM PUBLIC;
