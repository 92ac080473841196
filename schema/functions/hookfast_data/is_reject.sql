CREATE OR REPLACE FUNCTION hookfast_data.is_reject(counter text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN counter = ANY (hookfast_data.reject_counters());
COMMENT ON FUNCTION hookfast_data.is_reject IS
    'Whether a counter of a source counts requests that were rejected because of their content';
REVOKE ALL ON FUNCTION hookfast_data.is_reject FROM PUBLIC;
