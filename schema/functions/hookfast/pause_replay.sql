CREATE OR REPLACE FUNCTION hookfast.pause_replay(replay_id bigint, why text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT hookfast_data.set_replay_state(replay_id, 'paused', '{running}', 'replay.paused', why)
$$;
COMMENT ON FUNCTION hookfast.pause_replay IS 'Pauses a replay. The deliveries it has created stay pending';
REVOKE ALL ON FUNCTION hookfast.pause_replay FROM PUBLIC;
