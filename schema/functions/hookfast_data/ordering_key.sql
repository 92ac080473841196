CREATE OR REPLACE FUNCTION hookfast_data.ordering_key(body bytea, path text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN nullif(hookfast_data.bounded_key(hookfast_data.lenient_jsonb(body) #>> path), '');
COMMENT ON FUNCTION hookfast_data.ordering_key IS
    'The ordering key in a payload; null if it has none. An event without one is not ordered relative to any other';
-- No REVOKE: it only computes from its arguments.
