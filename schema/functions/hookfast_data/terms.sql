CREATE OR REPLACE FUNCTION hookfast_data.terms(body bytea, fields text[]) RETURNS SETOF text
    LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, pg_temp SET jit = off SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT DISTINCT left(m.value #>> '{}', 200)
    FROM (SELECT hookfast_data.as_jsonb(terms.body) AS payload
        WHERE cardinality(fields) > 0 AND octet_length(terms.body) <= 262144) b
    CROSS JOIN LATERAL jsonb_path_query(b.payload, 'strict $.** ? (@.type() == "object")') o
    CROSS JOIN LATERAL jsonb_each(o) m
    WHERE lower(m.key) = ANY (fields) AND jsonb_typeof(m.value) IN ('string', 'number') AND m.value <> '""'
    LIMIT 100
$$;
COMMENT ON FUNCTION hookfast_data.terms IS
    'What finds an event: the values of some members of its payload, at any depth; none of a body of more than '
    '256 KiB';
REVOKE ALL ON FUNCTION hookfast_data.terms FROM PUBLIC;
