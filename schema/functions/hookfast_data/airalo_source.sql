CREATE OR REPLACE FUNCTION hookfast_data.airalo_source(source text) RETURNS smallint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids smallint[] := ARRAY(SELECT s.id FROM hookfast_data.sources s
        WHERE s.kind = 'airalo' AND (airalo_source.source IS NULL OR s.name = airalo_source.source));
BEGIN
    IF cardinality(ids) <> 1 THEN
        RAISE '%; nothing was changed', CASE WHEN source IS NOT NULL THEN 'no source of kind airalo is named ' || source
            WHEN cardinality(ids) = 0 THEN 'there is no source of kind airalo'
                ELSE 'there are several sources of kind airalo' END
            USING ERRCODE = 'HF004',
                HINT = 'The names are in hookfast.source_health. Choose one with source => ''…''.';
    END IF;
    RETURN ids[1];
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_source IS 'The id of a source of kind airalo; the only one if none is named';
REVOKE ALL ON FUNCTION hookfast_data.airalo_source FROM PUBLIC;
