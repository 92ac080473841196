-- For a visitor whom a reverse proxy has identified. The same rules as for a ticket, except that the login of the
-- console has to be able to take the role, since the person has no login here.
CREATE OR REPLACE FUNCTION hookfast.console_may_take(role text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT EXISTS (SELECT FROM pg_roles l, pg_roles r
        WHERE l.rolname = session_user AND r.rolname = console_may_take.role
            AND hookfast_data.can_set_role(l.oid, r.oid)
            AND r.oid IS DISTINCT FROM hookfast_data.setting_role('console_role')
            AND NOT r.rolsuper AND NOT pg_has_role(r.oid, current_user, 'MEMBER')
            AND has_schema_privilege(r.oid, 'hookfast', 'USAGE'))
$$;
COMMENT ON FUNCTION hookfast.console_may_take IS
    'Whether the console may take a role for a visitor whom a reverse proxy has identified: never that of the owner, '
    'of a superuser or its own. For the console only';
REVOKE ALL ON FUNCTION hookfast.console_may_take FROM PUBLIC;
