CREATE OR REPLACE FUNCTION hookfast_data.own_history() RETURNS void
    LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(x'686973746f7279'::bigint) $$;
COMMENT ON FUNCTION hookfast_data.own_history IS
    'Keeps everybody who relies on payloads away until this transaction ends';
REVOKE ALL ON FUNCTION hookfast_data.own_history FROM PUBLIC;
