CREATE OR REPLACE FUNCTION hookfast.extend_lease(lease_id bigint,
    lease interval DEFAULT '60 seconds') RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    until timestamptz;
BEGIN
    IF extend_lease.lease IS NULL OR extend_lease.lease < interval '1 second' OR extend_lease.lease > interval '1 day'
        THEN
        RAISE 'invalid lease %: it must be 1 second to 1 day; nothing was changed', extend_lease.lease
            USING ERRCODE = '22023';
    END IF;
    UPDATE hookfast_data.leases l SET expires_at = clock_timestamp() + extend_lease.lease
    WHERE l.id = extend_lease.lease_id AND l.kind = 'pull' RETURNING l.expires_at INTO until;
    IF NOT FOUND THEN
        RAISE 'lease % no longer exists, and other clients can claim its deliveries; nothing was changed',
            extend_lease.lease_id
            USING ERRCODE = 'HF002', HINT = 'Stop the work, roll back, and claim again.';
    END IF;
    RETURN until;
END $$;
COMMENT ON FUNCTION hookfast.extend_lease IS
    'Renews a lease from now on. A lease that has expired but was not taken over can be renewed too. Raises HF002 if '
    'the lease no longer exists';
REVOKE ALL ON FUNCTION hookfast.extend_lease FROM PUBLIC;
