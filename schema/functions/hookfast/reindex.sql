CREATE OR REPLACE FUNCTION hookfast.reindex(source text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    of_source smallint := (SELECT s.id FROM hookfast_data.sources s WHERE s.name = reindex.source);
BEGIN
    PERFORM hookfast_data.require_reason(reindex.why);
    IF of_source IS NULL THEN
        RAISE 'no source is named %; nothing was changed', coalesce(reindex.source, '(null)')
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.source_health.';
    END IF;
    PERFORM hookfast_data.request_reindex(of_source);
    PERFORM hookfast_data.log('source.reindex_requested', reindex.source, jsonb_build_object('why', reindex.why));
END $$;
COMMENT ON FUNCTION hookfast.reindex IS
    'Indexes the stored events of a source again by its search fields, from the newest to the oldest, while '
    'everything else continues. hookfast.reindexes shows the progress. A process starts this by itself when a source '
    'gets another search field';
REVOKE ALL ON FUNCTION hookfast.reindex FROM PUBLIC;
