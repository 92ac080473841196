-- JSON may hold escapes that jsonb refuses: a NUL, half of a surrogate pair, and any beyond ASCII where the database is
-- not in UTF8. What is no character becomes U+FFFD, and where it has to be, the others are written out.
CREATE OR REPLACE FUNCTION hookfast_data.readable_jsonb(body bytea) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    unknown text := convert_from('\xefbfbd', 'UTF8');
    high text := '\\u[dD][89abAB][0-9a-fA-F]{2}';
    low text := '\\u[dD][c-fC-F][0-9a-fA-F]{2}';
    readable text;
    escape text;
BEGIN
    -- An escaped backslash is written otherwise first, so that whatever stands behind a backslash is an escape.
    readable := replace(convert_from(body, 'UTF8'), '\\', '\u005c');
    readable := replace(readable, '\u0000', unknown);
    readable := regexp_replace(readable, high || '(?!' || low || ')', unknown, 'g');
    readable := regexp_replace(readable, '(?<!' || high || ')' || low, unknown, 'g');
    IF getdatabaseencoding() <> 'UTF8' THEN
        FOR escape IN SELECT DISTINCT m[1]
            FROM regexp_matches(readable, '(' || high || low || '|\\u[0-9a-fA-F]{4})', 'g') m
            WHERE hookfast_data.escaped_code(m[1]) > 127
        LOOP
            readable := replace(readable, escape, hookfast_data.utf8_character(hookfast_data.escaped_code(escape)));
        END LOOP;
    END IF;
    RETURN readable::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.readable_jsonb IS
    'A body as jsonb, also where as_jsonb has none: U+FFFD for what Postgres cannot hold. Null where it is not JSON';
REVOKE ALL ON FUNCTION hookfast_data.readable_jsonb FROM PUBLIC;
