-- The bounds keep the run time proportional to the length of the payload: each level is a copy of the levels below it.
CREATE OR REPLACE FUNCTION hookfast_data.search_terms_of(payload jsonb, fields text[]) RETURNS SETOF text
    LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, pg_temp SET jit = off SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    WITH objects AS MATERIALIZED (
        SELECT o.object FROM jsonb_path_query(payload, 'strict $.**{0 to 31} ? (@.type() == "object")') o (object)
        WHERE cardinality(fields) > 0 LIMIT 1001
    ),
    found AS MATERIALIZED (
        SELECT DISTINCT left(m.value #>> '{}', 200) AS term FROM objects o CROSS JOIN LATERAL jsonb_each(o.object) m
        WHERE lower(m.key) = ANY (fields) AND jsonb_typeof(m.value) IN ('string', 'number') AND m.value <> '""'
        LIMIT 101
    )
    (SELECT f.term FROM found f LIMIT 100)
    UNION ALL
    SELECT '' WHERE (SELECT count(*) FROM found) > 100 OR (SELECT count(*) FROM objects) > 1000
        OR cardinality(fields) > 0 AND jsonb_path_exists(payload, 'strict $.**{32}')
$$;
COMMENT ON FUNCTION hookfast_data.search_terms_of IS
    'The search terms of an application''s event: up to 100 values of some members. A payload with more values, more '
    'than 1,000 objects or more than 32 levels gets the empty text too, which marks an event that is not indexed as '
    'a whole';
REVOKE ALL ON FUNCTION hookfast_data.search_terms_of FROM PUBLIC;
