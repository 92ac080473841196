CREATE OR REPLACE FUNCTION hookfast.event_id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    -- Times before 1970, and -infinity, give the smallest id of all.
    RETURN CASE WHEN at IS NOT NULL THEN
        (lpad(to_hex(greatest(0, least(281474976710655, floor(extract(epoch FROM at) * 1000)))::bigint), 12, '0')
            || repeat('0', 20))::uuid END;
COMMENT ON FUNCTION hookfast.event_id_at IS
    'The smallest event id of a time. As a bound on event_id it selects a day without reading the others';
REVOKE ALL ON FUNCTION hookfast.event_id_at FROM PUBLIC;
