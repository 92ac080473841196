CREATE OR REPLACE FUNCTION hookfast_data.bounded_key(key text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN octet_length(key) > 200 THEN 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex')
        ELSE key END;
COMMENT ON FUNCTION hookfast_data.bounded_key IS
    'A key of at most 200 bytes. A longer one becomes its hash, so that different keys stay different';
REVOKE ALL ON FUNCTION hookfast_data.bounded_key FROM PUBLIC;
