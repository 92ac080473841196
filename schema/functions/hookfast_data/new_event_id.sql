CREATE OR REPLACE FUNCTION hookfast_data.new_event_id() RETURNS uuid
    LANGUAGE sql VOLATILE
    RETURN encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid;
COMMENT ON FUNCTION hookfast_data.new_event_id IS 'Creates a UUID v7 of the current time';
-- No REVOKE: it reads and changes nothing.
