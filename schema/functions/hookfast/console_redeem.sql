-- Takes hashes only, because servers log parameters.
CREATE OR REPLACE FUNCTION hookfast.console_redeem(ticket_sha256 bytea, session_sha256 bytea)
    RETURNS TABLE (access_id bigint, person text, role text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN QUERY
    UPDATE hookfast_data.access a SET session_sha256 = console_redeem.session_sha256,
        redeemed_at = clock_timestamp(), seen_at = clock_timestamp(),
        acts_until = clock_timestamp() + interval '12 hours',
        expires_at = clock_timestamp() + CASE WHEN hookfast_data.can_set_role(p.oid,
            hookfast_data.setting_role('reader_role')) THEN interval '14 days' ELSE interval '12 hours' END
    FROM pg_roles p, pg_roles r
    WHERE a.ticket_sha256 = console_redeem.ticket_sha256 AND a.redeemed_at IS NULL AND a.ended_at IS NULL
        AND a.ticket_expires_at > clock_timestamp() AND octet_length(console_redeem.session_sha256) = 32
        AND p.oid = a.person_oid AND r.oid = a.role_oid AND hookfast_data.can_set_role(p.oid, r.oid)
    RETURNING a.id, p.rolname::text, r.rolname::text;
END $$;
COMMENT ON FUNCTION hookfast.console_redeem IS
    'Begins the session of a ticket. Returns no row if the ticket is unknown, expired or used. For the console only';
REVOKE ALL ON FUNCTION hookfast.console_redeem FROM PUBLIC;
