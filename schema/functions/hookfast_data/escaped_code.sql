CREATE OR REPLACE FUNCTION hookfast_data.escaped_code(escape text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN escape !~ '^\\u' THEN NULL
        WHEN length(escape) = 12 THEN 65536 + (('x' || substr(escape, 3, 4))::bit(16)::integer - 55296) * 1024
            + ('x' || substr(escape, 9, 4))::bit(16)::integer - 56320
        ELSE ('x' || substr(escape, 3, 4))::bit(16)::integer END;
COMMENT ON FUNCTION hookfast_data.escaped_code IS
    'The code of a character written as \uXXXX, or as a pair of them; null if the text is no such escape';
REVOKE ALL ON FUNCTION hookfast_data.escaped_code FROM PUBLIC;
