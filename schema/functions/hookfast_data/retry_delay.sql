-- How long a delivery waits after its n-th failure (from 1): the same rule as in the workers.
CREATE OR REPLACE FUNCTION hookfast_data.retry_delay(retry jsonb, failures integer) RETURNS interval
    LANGUAGE sql VOLATILE
    RETURN interval '1 millisecond' * CASE
        WHEN retry ? 'base_ms' THEN
            least((retry->>'base_ms')::float * power(2, least(failures - 1, 62)), (retry->>'max_ms')::float) * random()
        ELSE coalesce((retry->'delays_ms'->>least(failures - 1, jsonb_array_length(retry->'delays_ms') - 1))::float, 0)
            * (1 + 0.2 * random())
    END;
COMMENT ON FUNCTION hookfast_data.retry_delay IS 'The delay after the n-th failure by a retry policy';
-- No REVOKE: it only computes from its arguments.
