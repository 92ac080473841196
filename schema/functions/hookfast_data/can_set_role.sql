-- From Postgres 16 on, a member may be permitted to inherit a role and not to take it.
CREATE OR REPLACE FUNCTION hookfast_data.can_set_role(person oid, role oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    RETURN pg_has_role(person, role, CASE WHEN current_setting('server_version_num')::integer >= 160000
        THEN 'SET' ELSE 'MEMBER' END);
COMMENT ON FUNCTION hookfast_data.can_set_role IS 'Whether a role may take another with SET ROLE';
REVOKE ALL ON FUNCTION hookfast_data.can_set_role FROM PUBLIC;
