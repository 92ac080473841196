-- Postgres rejects a text that is not UTF-8 or contains a NUL. Each such byte becomes \ooo, which is read as an escape
-- inside a JSON string. Everything else can still be found.
CREATE OR REPLACE FUNCTION hookfast_data.body_matches(body bytea, pattern text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN convert_from(body, 'UTF8') ~ pattern;
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN replace(encode(body, 'escape'), '\\', '\') ~ pattern;
END $$;
COMMENT ON FUNCTION hookfast_data.body_matches IS
    'Whether a regular expression matches a body, whatever bytes the body has';
REVOKE ALL ON FUNCTION hookfast_data.body_matches FROM PUBLIC;
