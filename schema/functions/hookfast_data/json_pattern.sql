-- Each letter as itself, or as \u with its code (two codes beyond the basic plane).
CREATE OR REPLACE FUNCTION hookfast_data.json_pattern(content text, any_case boolean) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT string_agg('(?:' || p.pattern || ')', '' ORDER BY p.n)
    FROM (
        SELECT c.n, string_agg(CASE
                WHEN l.letter = '"' THEN '\\"|'
                WHEN l.letter = '\' THEN '\\\\|'
                WHEN l.letter = '/' THEN '\\?/|'
                WHEN l.letter = chr(9) THEN '\\t|'
                WHEN l.letter = chr(10) THEN '\\n|'
                WHEN l.letter = chr(13) THEN '\\r|'
                WHEN l.letter ~ '^[ -~]$' AND l.letter !~ '[A-Za-z0-9]' THEN '\' || l.letter || '|'
                ELSE l.letter || '|' END || e.escaped, '|') AS pattern
        FROM regexp_split_to_table(content, '') WITH ORDINALITY c (letter, n)
        CROSS JOIN LATERAL (SELECT c.letter UNION SELECT upper(c.letter) WHERE any_case
            UNION SELECT lower(c.letter) WHERE any_case) l
        CROSS JOIN LATERAL (
            SELECT string_agg('\\u' || regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
                regexp_replace(lpad(to_hex(u.unit), 4, '0'), 'a', '[aA]', 'g'), 'b', '[bB]', 'g'), 'c', '[cC]', 'g'),
                'd', '[dD]', 'g'), 'e', '[eE]', 'g'), 'f', '[fF]', 'g'), '' ORDER BY u.i) AS escaped
            FROM unnest(CASE WHEN ascii(l.letter) < 65536 THEN ARRAY[ascii(l.letter)] ELSE ARRAY[
                55296 + (ascii(l.letter) - 65536) / 1024, 56320 + (ascii(l.letter) - 65536) % 1024] END)
                WITH ORDINALITY u (unit, i)) e
        GROUP BY c.n) p
$$;
COMMENT ON FUNCTION hookfast_data.json_pattern IS
    'A regular expression for a text inside a JSON string, with any escapes';
REVOKE ALL ON FUNCTION hookfast_data.json_pattern FROM PUBLIC;
