-- Filters and ordering keys decide by this result. A claim tests up to a thousand bodies, so readable_jsonb reads only
-- those that take it milliseconds. Without an escape it finds no more than as_jsonb does.
CREATE OR REPLACE FUNCTION hookfast_data.lenient_jsonb(body bytea) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN coalesce(hookfast_data.as_jsonb(body),
        CASE WHEN octet_length(body) <= 65536 AND position('\x5c75'::bytea IN body) > 0
            THEN hookfast_data.readable_jsonb(body) END);
COMMENT ON FUNCTION hookfast_data.lenient_jsonb IS
    'A body as jsonb; up to 64 KiB also if jsonb cannot hold one of its escapes, which becomes U+FFFD';
REVOKE ALL ON FUNCTION hookfast_data.lenient_jsonb FROM PUBLIC;
