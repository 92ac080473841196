-- Purges one day. Returns how many events stay, or null if a lock is not available; a later run tries again.
CREATE OR REPLACE FUNCTION hookfast_data.purge_day(day date) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET client_min_messages = error
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    suffix text := to_char(purge_day.day, 'YYYYMMDD');
    -- Longer ago than any transaction of an ingress may stay open.
    copied_since uuid := hookfast_data.event_id_at(clock_timestamp() - interval '10 minutes');
    since uuid;
    upto uuid;
    stays bigint;
    total bigint;
    expired bigint;
BEGIN
    SELECT d.lower, d.upper INTO since, upto FROM hookfast_data.expired_days() d WHERE d.day = purge_day.day;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    LOCK TABLE hookfast_data.history_lock IN EXCLUSIVE MODE NOWAIT;
    SET LOCAL lock_timeout = '100ms';
    expired := hookfast_data.expire_retired(since, upto);
    -- Counts only until one expired event is found: a day may have a hundred million events.
    stays := (SELECT count(*) FROM hookfast_data.retained_events(since, upto, true) s
        JOIN hookfast_data.events e ON e.id = s.event_id);
    EXECUTE format('SELECT count(*) FROM (SELECT FROM hookfast_data.%I LIMIT %s) x', 'events_' || suffix, stays + 1)
        INTO total;
    IF total = stays THEN
        RETURN stays;
    END IF;
    SELECT c.reltuples INTO total FROM pg_class c WHERE c.oid = to_regclass('hookfast_data.events_' || suffix);
    IF total < 0 THEN
        EXECUTE format('SELECT count(*) FROM hookfast_data.%I', 'events_' || suffix) INTO total;
    END IF;
    stays := hookfast_data.copy_retained_rows(suffix, since, upto);
    IF NOT hookfast_data.restore_retained_rows(suffix, since, upto, copied_since) THEN
        RAISE lock_not_available;
    END IF;
    -- Conflicts are reported for seven days.
    DELETE FROM hookfast_data.acknowledgements a
        WHERE a.event_id < upto AND a.acknowledged_at < clock_timestamp() - interval '7 days'
        AND NOT EXISTS (SELECT FROM hookfast_data.events e WHERE e.id = a.event_id);
    DROP TABLE IF EXISTS hookfast_data.leaving_survivors, hookfast_data.leaving_events,
        hookfast_data.leaving_attempts, hookfast_data.leaving_search_terms;
    PERFORM hookfast_data.log('retention.day', purge_day.day::text,
        jsonb_build_object('dropped', greatest(total - stays, 0), 'kept', stays,
            'expired_deliveries', nullif(expired, 0)));
    RETURN stays;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.purge_day IS
    'Purges a day''s events, attempts and search terms, except those that are still needed; returns how many events '
    'stay, or null if a lock is not available';
REVOKE ALL ON FUNCTION hookfast_data.purge_day FROM PUBLIC;
