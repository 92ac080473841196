CREATE OR REPLACE FUNCTION hookfast_data.check_not_retired(handler smallint) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    retired record;
BEGIN
    SELECT h.name, h.retired_at INTO retired FROM hookfast_data.handlers h
        WHERE h.id = check_not_retired.handler AND h.retired_at IS NOT NULL;
    IF FOUND THEN
        RAISE 'handler % was retired at %; nothing was changed', retired.name, retired.retired_at::timestamptz(0)
            USING ERRCODE = 'HF006',
                HINT = 'To end the retirement, start a process with the role worker whose configuration has the '
                'handler.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_not_retired IS 'Raises an error if a handler is retired; null means no handler';
REVOKE ALL ON FUNCTION hookfast_data.check_not_retired FROM PUBLIC;
