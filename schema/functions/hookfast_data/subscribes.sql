-- In PL/pgSQL, so that a session plans it once: as SQL, each call of hookfast.enqueue would plan it again.
-- SECURITY DEFINER, since readers call it through a view and may not name functions of this schema.
CREATE OR REPLACE FUNCTION hookfast_data.subscribes(types text[], sources text[], source text,
    type text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    pattern text;
BEGIN
    IF source <> 'hookfast' AND source <> ALL (sources) THEN
        RETURN false;
    END IF;
    FOREACH pattern IN ARRAY types LOOP
        -- Only handlers that name an alert receive it: a handler with the pattern * subscribes to all other events.
        IF hookfast_data.type_matches(pattern, type) AND (source <> 'hookfast' OR 'hookfast' = ANY (sources)
            OR sources IS NULL AND starts_with(pattern, 'hookfast.')) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.subscribes IS 'Whether a subscription includes events of a source and type';
-- No REVOKE: readers call it through a view.
