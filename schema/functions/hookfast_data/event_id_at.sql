CREATE OR REPLACE FUNCTION hookfast_data.event_id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
COMMENT ON FUNCTION hookfast_data.event_id_at IS 'The smallest event id of a time, which makes a time a bound on ids';
-- No REVOKE: it only computes from its argument.
