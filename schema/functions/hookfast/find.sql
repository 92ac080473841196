-- The body is parsed at creation, so that it reaches a function that its callers may not call by name. It is not
-- SECURITY DEFINER, so that it knows the calling role.
CREATE OR REPLACE FUNCTION hookfast.find(term text) RETURNS TABLE (event_id uuid)
    LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT f.event_id FROM hookfast_data.find_events(find.term, false, hookfast_data.can_see_secrets(current_user)) f;
END;
COMMENT ON FUNCTION hookfast.find IS
    'Finds events by event id, idempotency key, or the value of one of the source''s search fields (an order''s '
    'number, a request_id, an ICCID), together with the events that conflict with them. Readers cannot find events '
    'by a secret value';
REVOKE ALL ON FUNCTION hookfast.find FROM PUBLIC;
