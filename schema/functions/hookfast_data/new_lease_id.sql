-- A client settles its deliveries with this id, so nobody may guess it. It consists of 64 random bits of a random UUID.
CREATE OR REPLACE FUNCTION hookfast_data.new_lease_id() RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN (SELECT ('x' || left(u.id, 8) || right(u.id, 8))::bit(64)::bigint & 9223372036854775807
        FROM (SELECT gen_random_uuid()::text AS id) u);
COMMENT ON FUNCTION hookfast_data.new_lease_id IS 'Creates a random id for the lease of a pulling client';
REVOKE ALL ON FUNCTION hookfast_data.new_lease_id FROM PUBLIC;
