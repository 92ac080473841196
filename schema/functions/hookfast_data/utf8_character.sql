-- Not chr(), because in a database with another encoding it accepts no code beyond ASCII.
CREATE OR REPLACE FUNCTION hookfast_data.utf8_character(code integer) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN convert_from(decode(CASE
        WHEN code < 2048 THEN to_hex(49280 + (code / 64) * 256 + code % 64)
        WHEN code < 65536 THEN to_hex(14712960 + (code / 4096) * 65536 + (code / 64 % 64) * 256 + code % 64)
        ELSE to_hex(4034953344 + (code / 262144)::bigint * 16777216 + (code / 4096 % 64) * 65536
            + (code / 64 % 64) * 256 + code % 64) END, 'hex'), 'UTF8');
COMMENT ON FUNCTION hookfast_data.utf8_character IS 'The character beyond ASCII that has this code';
REVOKE ALL ON FUNCTION hookfast_data.utf8_character FROM PUBLIC;
