-- Whoever pulls shows it to settle what it holds: so nobody may guess it. Of a random UUID, 64 of the random bits.
CREATE OR REPLACE FUNCTION hookfast_data.new_lease_id() RETURNS bigint
    LANGUAGE sql VOLATILE
    RETURN (SELECT ('x' || left(u.id, 8) || right(u.id, 8))::bit(64)::bigint & 9223372036854775807
        FROM (SELECT gen_random_uuid()::text AS id) u);
COMMENT ON FUNCTION hookfast_data.new_lease_id IS 'The id of a pulling client''s lease, drawn at random';
REVOKE ALL ON FUNCTION hookfast_data.new_lease_id FROM PUBLIC;
