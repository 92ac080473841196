CREATE OR REPLACE FUNCTION hookfast_data.setting_role(setting text) RETURNS oid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN (SELECT r.oid FROM hookfast_data.settings s JOIN pg_roles r ON r.rolname = s.value
        WHERE s.name = setting);
COMMENT ON FUNCTION hookfast_data.setting_role IS
    'The role that a setting names, such as reader_role; null if there is none';
-- No REVOKE: readers call it through a view.
