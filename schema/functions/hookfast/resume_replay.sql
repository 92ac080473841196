CREATE OR REPLACE FUNCTION hookfast.resume_replay(replay_id bigint, why text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT hookfast_data.set_replay_state(replay_id, 'running', '{paused}', 'replay.resumed', why)
$$;
COMMENT ON FUNCTION hookfast.resume_replay IS 'Resumes a paused replay where it stopped';
REVOKE ALL ON FUNCTION hookfast.resume_replay FROM PUBLIC;
