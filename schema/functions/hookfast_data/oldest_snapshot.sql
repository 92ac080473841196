CREATE OR REPLACE FUNCTION hookfast_data.oldest_snapshot() RETURNS TABLE (age bigint, owner text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT s.age, s.owner FROM (
        SELECT age(a.backend_xmin)::bigint AS age,
            'process ' || a.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '') AS owner
        FROM pg_catalog.pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
        UNION ALL
        SELECT age(p.transaction)::bigint, 'prepared transaction ' || p.gid FROM pg_catalog.pg_prepared_xacts p
        UNION ALL
        SELECT age(r.xmin)::bigint, 'replication slot ' || r.slot_name FROM pg_catalog.pg_replication_slots r
            WHERE r.xmin IS NOT NULL
    ) s ORDER BY s.age DESC LIMIT 1
$$;
COMMENT ON FUNCTION hookfast_data.oldest_snapshot IS
    'The session that has prevented the removal of dead rows for longest, and for how many transactions';
-- No REVOKE: readers call it through a view.
