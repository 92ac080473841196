-- Held together by whatever relies on a payload being there (retries, replays), alone by what takes payloads away.
CREATE OR REPLACE FUNCTION hookfast_data.share_history() RETURNS void
    LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock_shared(x'686973746f7279'::bigint) $$;
COMMENT ON FUNCTION hookfast_data.share_history IS 'Keeps payloads from being taken away until this transaction ends';
REVOKE ALL ON FUNCTION hookfast_data.share_history FROM PUBLIC;
