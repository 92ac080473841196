-- Decides by the payload: filters and ordering keys. A claim judges up to a thousand bodies, so only those for which
-- readable_jsonb takes milliseconds are read by it; without an escape it finds no more than as_jsonb.
CREATE OR REPLACE FUNCTION hookfast_data.lenient_jsonb(body bytea) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN coalesce(hookfast_data.as_jsonb(body),
        CASE WHEN octet_length(body) <= 65536 AND position('\x5c75'::bytea IN body) > 0
            THEN hookfast_data.readable_jsonb(body) END);
COMMENT ON FUNCTION hookfast_data.lenient_jsonb IS
    'A body as jsonb; one of up to 64 KiB also if jsonb cannot hold one of its escapes, which becomes U+FFFD';
REVOKE ALL ON FUNCTION hookfast_data.lenient_jsonb FROM PUBLIC;
