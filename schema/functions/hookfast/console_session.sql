-- Called at the beginning of every request, so that a right that was taken away ends at once. It writes at most once a
-- minute, and not at all on a server that only reads.
CREATE OR REPLACE FUNCTION hookfast.console_session(session_sha256 bytea)
    RETURNS TABLE (access_id bigint, person text, role text, acts_until timestamptz, expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    session hookfast_data.access;
    reader oid := hookfast_data.setting_role('reader_role');
    now timestamptz := clock_timestamp();
    writable boolean := NOT current_setting('transaction_read_only')::boolean;
    taken oid;
BEGIN
    SELECT a.* INTO session FROM hookfast_data.access a WHERE a.session_sha256 = console_session.session_sha256
        AND a.ended_at IS NULL AND a.expires_at > now;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT p.rolname, session.role_oid INTO person, taken FROM pg_roles p
        JOIN pg_roles l ON l.oid = session.login_oid AND (l.rolcanlogin OR NOT session.logins_required)
        JOIN pg_roles r ON r.oid = session.role_oid
        WHERE p.oid = session.person_oid AND hookfast_data.can_set_role(l.oid, p.oid)
            AND hookfast_data.can_set_role(p.oid, r.oid);
    IF NOT FOUND THEN
        IF writable THEN
            UPDATE hookfast_data.access a SET ended_at = now,
                ended_because = 'the person''s role or login was dropped, or lost a right'
                WHERE a.id = session.id AND a.ended_at IS NULL;
        END IF;
        RETURN;
    END IF;
    IF session.acts_until < now OR session.seen_at < now - interval '2 hours' THEN
        IF reader IS NULL OR NOT hookfast_data.can_set_role(session.person_oid, reader) THEN
            RETURN;
        END IF;
        taken := reader;
        session.acts_until := least(session.acts_until, now);
    END IF;
    IF writable AND session.seen_at < now - interval '1 minute' THEN
        UPDATE hookfast_data.access a SET seen_at = now, acts_until = session.acts_until WHERE a.id = session.id;
    END IF;
    access_id := session.id;
    role := (SELECT r.rolname FROM pg_roles r WHERE r.oid = taken);
    acts_until := session.acts_until;
    expires_at := session.expires_at;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.console_session IS
    'The person and the role of a session: the role of its ticket, or after 12 hours, or 2 hours without a request, '
    'the reader''s. Returns no row if the session has ended. For the console only';
REVOKE ALL ON FUNCTION hookfast.console_session FROM PUBLIC;
