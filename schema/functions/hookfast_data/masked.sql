-- A secret may stand in another member too, as a matching id in the text of an instruction: so what stood in the
-- marked members is taken out wherever it is. Where that would leave no JSON, nothing is shown.
-- SECURITY DEFINER: readers may call nothing of this schema by its name.
CREATE OR REPLACE FUNCTION hookfast_data.masked(payload jsonb, fields text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secret text;
    shown text;
BEGIN
    IF payload IS NULL OR cardinality(fields) = 0 THEN
        RETURN payload;
    END IF;
    shown := hookfast_data.without_fields(payload, fields)::text;
    FOR secret IN
        SELECT v.value::text FROM jsonb_path_query(payload, 'strict $.** ? (@.type() == "object")') o
        CROSS JOIN LATERAL jsonb_each(o) m
        CROSS JOIN LATERAL jsonb_path_query(m.value, 'strict $.** ? (@.type() == "string")') v (value)
        WHERE lower(m.key) = ANY (fields) AND length(v.value::text) >= 10
        -- The longest first: one may stand in another.
        GROUP BY 1 ORDER BY length(v.value::text) DESC, 1
    LOOP
        shown := replace(shown, substring(secret FROM 2 FOR length(secret) - 2), '***');
    END LOOP;
    RETURN shown::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN '"***"';
END $$;
COMMENT ON FUNCTION hookfast_data.masked IS 'A payload as readers see it';
