CREATE OR REPLACE FUNCTION hookfast.find(text text) RETURNS TABLE (event_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.event_id FROM hookfast_data.found(find.text, false) f
$$;
COMMENT ON FUNCTION hookfast.find IS
    'The events that somebody means: by event id, idempotency key, or the value of one of the source''s search '
    'fields (an order''s number, a request_id, an ICCID), with what conflicts with them';
REVOKE ALL ON FUNCTION hookfast.find FROM PUBLIC;
