-- A superuser is a member of every role, so membership says nothing about it.
CREATE OR REPLACE FUNCTION hookfast_data.is_console() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = session_user AND NOT r.rolsuper
        AND pg_has_role(r.oid, hookfast_data.setting_role('console_role'), 'MEMBER'));
COMMENT ON FUNCTION hookfast_data.is_console IS 'Whether this session is one of the console''s login';
-- No REVOKE: readers call it through a view.
