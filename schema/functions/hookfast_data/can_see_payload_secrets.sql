-- The console shows masks to operators too, until they call hookfast.reveal.
CREATE OR REPLACE FUNCTION hookfast_data.can_see_payload_secrets(who name) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN coalesce(current_setting('hookfast.mask_payloads', true), '') <> 'on'
        AND hookfast_data.can_see_secrets(who);
COMMENT ON FUNCTION hookfast_data.can_see_payload_secrets IS
    'Whether a role sees the secret fields of payloads: as can_see_secrets, unless the session masks them';
-- No REVOKE: readers call it through a view.
