CREATE OR REPLACE FUNCTION hookfast_data.redact_fields(payload jsonb, fields text[], secrets text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RETURN CASE jsonb_typeof(payload)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(m.key, CASE
                WHEN lower(m.key) = ANY (fields) AND m.value <> 'null' THEN '"***"'
                ELSE hookfast_data.redact_fields(m.value, fields, secrets) END), '{}')
            FROM jsonb_each(payload) m)
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(hookfast_data.redact_fields(m.value, fields, secrets) ORDER BY m.ord), '[]')
            FROM jsonb_array_elements(payload) WITH ORDINALITY m (value, ord))
        -- The caller masks literal occurrences, in the text of the whole payload.
        WHEN 'string' THEN CASE
            WHEN payload::text ~ '[%+]' AND secrets <> '{}'
                AND hookfast_data.contains_secret(payload #>> '{}', ARRAY(
                    SELECT s FROM unnest(secrets) s WHERE strpos(payload #>> '{}', s) = 0)) THEN '"***"'
            ELSE payload END
        WHEN 'number' THEN CASE
            WHEN length(payload::text) >= 8 AND hookfast_data.contains_secret(payload::text, secrets) THEN '"***"'
            ELSE payload END
        ELSE payload END;
END $$;
COMMENT ON FUNCTION hookfast_data.redact_fields IS
    'A payload with *** in place of some members, at any depth, and of numbers and encoded texts that contain a secret';
REVOKE ALL ON FUNCTION hookfast_data.redact_fields FROM PUBLIC;
