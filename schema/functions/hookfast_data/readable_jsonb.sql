-- JSON may contain escapes that jsonb rejects: a NUL, half of a surrogate pair, and anything beyond ASCII if the
-- database encoding is not UTF8. Escapes that are no character become U+FFFD. If necessary, the other escapes are
-- replaced by their characters.
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
    -- Escaped backslashes are replaced first, so that every remaining backslash begins an escape.
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
    'A body as jsonb even if as_jsonb gives null: U+FFFD replaces what Postgres cannot hold. Null if the body is not '
    'JSON';
REVOKE ALL ON FUNCTION hookfast_data.readable_jsonb FROM PUBLIC;
