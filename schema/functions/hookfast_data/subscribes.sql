CREATE OR REPLACE FUNCTION hookfast_data.subscribes(types text[], sources text[], source text,
    type text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- Only handlers that name an alert receive it: a handler with the pattern * subscribes to all other events.
    RETURN CASE WHEN source = 'hookfast'
        THEN EXISTS (SELECT FROM unnest(types) AS p WHERE hookfast_data.type_matches(p, type)
            AND ('hookfast' = ANY (sources) OR sources IS NULL AND starts_with(p, 'hookfast.')))
        ELSE (sources IS NULL OR source = ANY (sources))
            AND EXISTS (SELECT FROM unnest(types) AS p WHERE hookfast_data.type_matches(p, type)) END;
COMMENT ON FUNCTION hookfast_data.subscribes IS 'Whether a subscription includes events of a source and type';
-- No REVOKE: readers call it through a view.
