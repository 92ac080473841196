-- Whether a class may be dropped: the first time, and after it was made shorter, a day after it was announced.
CREATE OR REPLACE FUNCTION hookfast_data.may_leave(class text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r hookfast_data.retention;
    would bigint;
BEGIN
    SELECT * INTO r FROM hookfast_data.retention x WHERE x.class = may_leave.class FOR UPDATE;
    IF r.keep IS NULL THEN
        RETURN false;
    END IF;
    IF r.announced_at IS NOT NULL AND r.keep >= r.announced_keep THEN
        RETURN r.announced_at <= clock_timestamp() - interval '1 day';
    END IF;
    SELECT coalesce(sum(p.rows - p.stays), 0) INTO would FROM hookfast.retention_preview() p
        WHERE p.class = may_leave.class;
    IF would > 0 THEN
        UPDATE hookfast_data.retention x SET announced_at = clock_timestamp(), announced_keep = x.keep
            WHERE x.class = may_leave.class;
        PERFORM hookfast_data.raise_news('hookfast.retention.announced',
            'retention:' || may_leave.class || ':' || r.keep || ':' || extract(epoch FROM clock_timestamp()),
            jsonb_build_object('class', may_leave.class, 'keep', r.keep, 'rows', would, 'goes_at',
                clock_timestamp() + interval '1 day'));
        PERFORM hookfast_data.log('retention.announced', may_leave.class,
            jsonb_build_object('keep', r.keep, 'rows', would));
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.may_leave IS
    'Whether rows of a class may be dropped; announces it where it has not been announced';
REVOKE ALL ON FUNCTION hookfast_data.may_leave FROM PUBLIC;
