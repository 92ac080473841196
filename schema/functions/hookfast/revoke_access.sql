CREATE OR REPLACE FUNCTION hookfast.revoke_access(access_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    person text;
BEGIN
    PERFORM hookfast_data.require_reason(revoke_access.why);
    -- In a SECURITY DEFINER function current_user is the owner, so the role that was set is checked.
    UPDATE hookfast_data.access a SET ended_at = coalesce(a.ended_at, clock_timestamp()),
        ended_because = coalesce(a.ended_because, 'revoked: ' || revoke_access.why)
        WHERE a.id = revoke_access.access_id AND (hookfast_data.can_see_secrets(
            CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END)
            OR a.person_oid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = hookfast_data.caller()))
        RETURNING (SELECT r.rolname FROM pg_roles r WHERE r.oid = a.person_oid) INTO person;
    IF NOT FOUND THEN
        RAISE 'you have no access with the id %; nothing was changed', revoke_access.access_id
            USING ERRCODE = 'HF004', HINT = 'See hookfast.access. Only operators see that of other people.';
    END IF;
    PERFORM hookfast_data.log('access.revoked', coalesce(person, 'a dropped role'),
        jsonb_build_object('access_id', revoke_access.access_id, 'why', revoke_access.why));
END $$;
COMMENT ON FUNCTION hookfast.revoke_access IS
    'Ends a ticket or a session of the console at once. Readers may end only their own';
REVOKE ALL ON FUNCTION hookfast.revoke_access FROM PUBLIC;
