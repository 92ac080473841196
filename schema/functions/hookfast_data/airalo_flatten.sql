-- Older producers put some members under integer-like keys, whose numbers vary: {"1": {"data": {"text": null}}}.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_flatten(fields jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT coalesce(jsonb_object_agg(i.key, i.value), '{}')
        FROM jsonb_each(CASE jsonb_typeof(fields) WHEN 'object' THEN fields END) m
        CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(m.value -> 'data') WHEN 'object' THEN m.value -> 'data' END) i
        WHERE m.key ~ '^[0-9]+$') || CASE jsonb_typeof(fields) WHEN 'object' THEN fields ELSE '{}' END;
COMMENT ON FUNCTION hookfast_data.airalo_flatten IS 'The members of an order, including those under integer-like keys';
REVOKE ALL ON FUNCTION hookfast_data.airalo_flatten FROM PUBLIC;
