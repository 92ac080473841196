CREATE OR REPLACE FUNCTION hookfast.cancel_replay(replay_id bigint, why text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT hookfast_data.set_replay_state(replay_id, 'cancelled', '{running,paused}', 'replay.cancelled', why)
$$;
COMMENT ON FUNCTION hookfast.cancel_replay IS 'Cancels a replay. The deliveries it has created stay pending';
REVOKE ALL ON FUNCTION hookfast.cancel_replay FROM PUBLIC;
