CREATE OR REPLACE FUNCTION hookfast_data.check_enqueued(source text, type text,
    OUT id smallint, OUT search_fields text[])
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    kind text;
BEGIN
    SELECT s.id, s.kind, s.search_fields INTO check_enqueued.id, kind, check_enqueued.search_fields
        FROM hookfast_data.sources s WHERE s.name = check_enqueued.source;
    IF NOT FOUND OR kind <> 'sql' THEN
        RAISE 'no source of kind sql is named %; nothing was enqueued', check_enqueued.source
            USING ERRCODE = 'HF004',
                HINT = 'Declare it in the configuration as kind = "sql", and start a process once. Other sources '
                'receive their events as webhooks.';
    END IF;
    IF check_enqueued.type IS NULL OR check_enqueued.type !~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$'
        OR octet_length(check_enqueued.type) > 200 THEN
        RAISE 'invalid type %; nothing was enqueued', coalesce(quote_literal(check_enqueued.type), 'null')
            USING ERRCODE = '22023', HINT = 'Use segments of a-z, 0-9 and _, joined by dots, at most 200 bytes.';
    END IF;
    IF split_part(check_enqueued.type, '.', 1) IN ('airalo', 'hookfast') THEN
        RAISE 'types that begin with % are reserved for Hookfast; % was not enqueued',
            split_part(check_enqueued.type, '.', 1), check_enqueued.type
            USING ERRCODE = '22023', HINT = 'Use another first segment.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_enqueued IS
    'The source of an application''s events; raises if it does not exist, or if the type is invalid';
REVOKE ALL ON FUNCTION hookfast_data.check_enqueued FROM PUBLIC;
