-- Matches a member's name, a colon and the value. Nesting is ignored: a body is read once, whatever its depth. Only the
-- first 200 characters of a value count, as in hookfast_data.search_terms.
CREATE OR REPLACE FUNCTION hookfast_data.term_pattern(fields text[], term text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT '"(?:' || string_agg(hookfast_data.json_pattern(f, true), '|') || ')"[ \t\r\n]*:[ \t\r\n]*(?:"'
        || hookfast_data.json_pattern(left(term, 200), false)
        || CASE WHEN length(term) >= 200 THEN '(?:[^"\\]|\\.)*' ELSE '' END || '"'
        || CASE WHEN term ~ '^-?[0-9][0-9.eE+-]*$'
            THEN '|' || regexp_replace(term, '([.+-])', '\\\1', 'g') || '(?![0-9.eE+-])' ELSE '' END || ')'
    FROM unnest(fields) f WHERE term <> ''
$$;
COMMENT ON FUNCTION hookfast_data.term_pattern IS
    'A regular expression for a body in which one of some members, at any depth, has a value; null if no body can '
    'match';
REVOKE ALL ON FUNCTION hookfast_data.term_pattern FROM PUBLIC;
