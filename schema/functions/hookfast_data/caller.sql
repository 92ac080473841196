-- Anybody can set hookfast.on_behalf_of, so only that of the console's login is believed. In a SECURITY DEFINER
-- function current_user is the owner.
CREATE OR REPLACE FUNCTION hookfast_data.caller() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN CASE WHEN hookfast_data.is_console() THEN coalesce(current_setting('hookfast.on_behalf_of', true), '')
        WHEN current_setting('role') = 'none' THEN session_user::text
        ELSE current_setting('role') END;
COMMENT ON FUNCTION hookfast_data.caller IS
    'The name of the person who calls: the role that was set, the login, or the console''s visitor';
-- No REVOKE: readers call it through a view.
