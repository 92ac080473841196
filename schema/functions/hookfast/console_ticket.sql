-- The role is one that the caller may take anyway, and never the owner: a ticket gives a browser no more than psql has.
CREATE OR REPLACE FUNCTION hookfast.console_ticket(role text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    person oid;
    chosen oid;
    chosen_name text;
    ticket text := translate(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'),
        '+/=', '-_');
BEGIN
    IF hookfast_data.is_console() THEN
        RAISE 'the console issues no tickets; none was issued'
            USING ERRCODE = '42501', HINT = 'Call hookfast.console_ticket in psql, or run hookfast console link.';
    END IF;
    SELECT r.oid INTO person FROM pg_roles r WHERE r.rolname = hookfast_data.caller();
    IF console_ticket.role IS NULL THEN
        SELECT x.oid INTO chosen FROM (VALUES (1, hookfast_data.setting_role('operator_role')),
            (2, hookfast_data.setting_role('support_role')),
            (3, hookfast_data.setting_role('reader_role'))) x (rank, oid)
        WHERE x.oid IS NOT NULL AND hookfast_data.can_set_role(person, x.oid) ORDER BY x.rank LIMIT 1;
        IF chosen IS NULL THEN
            RAISE '% may take none of the roles for people; no ticket was issued', hookfast_data.caller()
                USING ERRCODE = '42501', HINT = 'Have hookfast_reader, hookfast_support or hookfast_operator granted.';
        END IF;
    ELSE
        SELECT r.oid INTO chosen FROM pg_roles r WHERE r.rolname = console_ticket.role;
        IF chosen IS NULL OR NOT hookfast_data.can_set_role(person, chosen) THEN
            RAISE '% may not take the role %; no ticket was issued', hookfast_data.caller(), console_ticket.role
                USING ERRCODE = '42501', HINT = 'Choose a role that SET ROLE accepts, or have it granted.';
        END IF;
    END IF;
    SELECT r.rolname INTO chosen_name FROM pg_roles r WHERE r.oid = chosen;
    IF chosen = hookfast_data.setting_role('console_role') OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = chosen
        AND (r.rolsuper OR pg_has_role(r.oid, current_user, 'MEMBER'))) THEN
        RAISE 'the role % is a superuser, the owner or the console''s own; no ticket was issued', chosen_name
            USING ERRCODE = '42501', HINT = 'Choose hookfast_reader, hookfast_support or hookfast_operator.';
    END IF;
    IF NOT has_schema_privilege(chosen, 'hookfast', 'USAGE') THEN
        RAISE 'the role % may not use schema hookfast; no ticket was issued', chosen_name
            USING ERRCODE = '42501', HINT = 'Choose hookfast_reader, hookfast_support or hookfast_operator.';
    END IF;
    DELETE FROM hookfast_data.access a WHERE a.id IN (SELECT o.id FROM hookfast_data.access o
        WHERE coalesce(o.ended_at, o.expires_at, o.ticket_expires_at) < clock_timestamp() - interval '90 days'
        ORDER BY o.id LIMIT 100);
    INSERT INTO hookfast_data.access (person_oid, login_oid, logins_required, role_oid, ticket_sha256,
        ticket_expires_at)
    SELECT person, l.oid, l.rolcanlogin, chosen, sha256(convert_to(ticket, 'UTF8')),
        clock_timestamp() + interval '10 minutes'
    FROM pg_roles l WHERE l.rolname = session_user;
    PERFORM hookfast_data.log('access.issued', hookfast_data.caller(), jsonb_build_object('role', chosen_name));
    RETURN ticket;
END $$;
COMMENT ON FUNCTION hookfast.console_ticket IS
    'Issues a ticket to log in to the console, once and within ten minutes, with a role that the caller may take: '
    'operator, support or reader, or the named one';
REVOKE ALL ON FUNCTION hookfast.console_ticket FROM PUBLIC;
