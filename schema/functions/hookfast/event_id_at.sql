CREATE OR REPLACE FUNCTION hookfast.event_id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    -- Before 1970 is the smallest of all, also -infinity.
    RETURN CASE WHEN at IS NOT NULL THEN
        (lpad(to_hex(greatest(0, least(281474976710655, floor(extract(epoch FROM at) * 1000)))::bigint), 12, '0')
            || repeat('0', 20))::uuid END;
COMMENT ON FUNCTION hookfast.event_id_at IS
    'The smallest event id of a moment: a time as a bound on event_id, which finds its day without reading the '
    'others';
REVOKE ALL ON FUNCTION hookfast.event_id_at FROM PUBLIC;
