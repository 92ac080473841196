CREATE OR REPLACE FUNCTION hookfast_data.lock_history_exclusive() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    LOCK TABLE hookfast_data.history_lock IN EXCLUSIVE MODE
$$;
COMMENT ON FUNCTION hookfast_data.lock_history_exclusive IS
    'Excludes all transactions that rely on payloads until this one ends';
REVOKE ALL ON FUNCTION hookfast_data.lock_history_exclusive FROM PUBLIC;
