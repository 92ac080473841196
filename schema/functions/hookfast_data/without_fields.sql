CREATE OR REPLACE FUNCTION hookfast_data.without_fields(payload jsonb, fields text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE jsonb_typeof(payload)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(m.key, CASE
                WHEN lower(m.key) = ANY (fields) AND m.value <> 'null' THEN '"***"'
                ELSE hookfast_data.without_fields(m.value, fields) END), '{}')
            FROM jsonb_each(payload) m)
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(hookfast_data.without_fields(m.value, fields) ORDER BY m.ord), '[]')
            FROM jsonb_array_elements(payload) WITH ORDINALITY m (value, ord))
        ELSE payload END;
END $$;
COMMENT ON FUNCTION hookfast_data.without_fields IS 'A payload with *** in the place of some members, at any depth';
