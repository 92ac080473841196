-- The bounds are those of src/telemetry/metrics.rs.
CREATE OR REPLACE FUNCTION hookfast_data.duration_counter(millis numeric) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'took_le_' || (SELECT coalesce(min(b), 1000000000) FROM unnest(ARRAY[1, 2, 5, 10, 20, 50, 100, 200, 500,
        1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000]) b WHERE b >= millis);
COMMENT ON FUNCTION hookfast_data.duration_counter IS
    'The counter of a handler''s attempts that took that many milliseconds';
REVOKE ALL ON FUNCTION hookfast_data.duration_counter FROM PUBLIC;
