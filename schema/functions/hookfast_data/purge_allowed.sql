-- Purging a class is allowed one day after its announcement: the first time, and after its retention became shorter.
CREATE OR REPLACE FUNCTION hookfast_data.purge_allowed(class text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r hookfast_data.retention;
    would bigint;
BEGIN
    SELECT * INTO r FROM hookfast_data.retention x WHERE x.class = purge_allowed.class FOR UPDATE;
    IF r.keep IS NULL THEN
        RETURN false;
    END IF;
    IF r.announced_at IS NOT NULL AND r.keep >= r.announced_keep THEN
        RETURN r.announced_at <= clock_timestamp() - interval '1 day';
    END IF;
    SELECT coalesce(sum(p.rows - p.stays), 0) INTO would FROM hookfast.retention_preview() p
        WHERE p.class = purge_allowed.class;
    IF would > 0 THEN
        UPDATE hookfast_data.retention x SET announced_at = clock_timestamp(), announced_keep = x.keep
            WHERE x.class = purge_allowed.class;
        PERFORM hookfast_data.raise_alert('hookfast.retention.announced',
            'retention:' || purge_allowed.class || ':' || r.keep || ':' || extract(epoch FROM clock_timestamp()),
            jsonb_build_object('class', purge_allowed.class, 'keep', r.keep, 'rows', would, 'purge_at',
                clock_timestamp() + interval '1 day'));
        PERFORM hookfast_data.log('retention.announced', purge_allowed.class,
            jsonb_build_object('keep', r.keep, 'rows', would));
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.purge_allowed IS
    'Whether rows of a class may be purged; announces the purge if it has not been announced';
REVOKE ALL ON FUNCTION hookfast_data.purge_allowed FROM PUBLIC;
