CREATE OR REPLACE FUNCTION hookfast_data.max_attempts(retry jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN coalesce((retry->>'tries')::integer, jsonb_array_length(retry->'delays_ms') + 1);
COMMENT ON FUNCTION hookfast_data.max_attempts IS 'How many tries a retry policy gives';
