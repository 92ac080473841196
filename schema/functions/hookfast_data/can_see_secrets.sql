CREATE OR REPLACE FUNCTION hookfast_data.can_see_secrets(who name) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN pg_has_role(who, (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'hookfast_data'), 'USAGE')
        OR EXISTS (SELECT FROM hookfast_data.settings s JOIN pg_roles r ON r.rolname = s.value
            WHERE s.name = 'operator_role' AND pg_has_role(who, r.oid, 'USAGE'));
COMMENT ON FUNCTION hookfast_data.can_see_secrets IS 'Whether a role may see secrets: operators and the owner may';
-- No REVOKE: readers call it through a view.
