-- Postgres estimates so many rows for jsonpath that compiling would take longer than running: 50 ms per payload.
CREATE OR REPLACE FUNCTION hookfast_data.secret_values(payload jsonb, fields text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT ARRAY(
        SELECT DISTINCT v #>> '{}' FROM jsonb_path_query(payload, 'strict $.** ? (@.type() == "object")') o
        CROSS JOIN LATERAL jsonb_each(o) m
        CROSS JOIN LATERAL jsonb_path_query(m.value, 'strict $.** ? (@.type() == "string" || @.type() == "number")') v
        WHERE lower(m.key) = ANY (fields) AND v <> '""')
$$;
COMMENT ON FUNCTION hookfast_data.secret_values IS
    'The texts and numbers in the secret fields of a payload, at any depth';
REVOKE ALL ON FUNCTION hookfast_data.secret_values FROM PUBLIC;
