-- Parsed at creation, so that it reaches a function that its callers may not call by its name; and not SECURITY
-- DEFINER, so that it knows who asks.
CREATE OR REPLACE FUNCTION hookfast.find(term text) RETURNS TABLE (event_id uuid)
    LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT f.event_id FROM hookfast_data.find_events(find.term, false, hookfast_data.can_see_secrets(current_user)) f;
END;
COMMENT ON FUNCTION hookfast.find IS
    'The events that somebody means: by event id, idempotency key, or the value of one of the source''s search '
    'fields (an order''s number, a request_id, an ICCID), with what conflicts with them. Readers find nothing by a '
    'value that is secret';
REVOKE ALL ON FUNCTION hookfast.find FROM PUBLIC;
