-- One day. Answers with how many events stay; null where somebody is in the way, and it is tried again later.
CREATE OR REPLACE FUNCTION hookfast_data.empty_day(day date) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET client_min_messages = error
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    suffix text := to_char(empty_day.day, 'YYYYMMDD');
    since uuid;
    upto uuid;
    stays bigint;
    total bigint;
    part text;
BEGIN
    SELECT d.lower, d.upper INTO since, upto FROM hookfast_data.days_to_leave() d WHERE d.day = empty_day.day;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    LOCK TABLE hookfast_data.history_lock IN EXCLUSIVE MODE NOWAIT;
    SET LOCAL lock_timeout = '100ms';
    -- No further than to one that leaves: a day may have a hundred million.
    stays := (SELECT count(*) FROM hookfast_data.survivors(since, upto) s
        JOIN hookfast_data.events e ON e.id = s.event_id);
    EXECUTE format('SELECT count(*) FROM (SELECT FROM hookfast_data.%I LIMIT %s) x', 'events_' || suffix, stays + 1)
        INTO total;
    IF total > stays THEN
        SELECT c.reltuples INTO total FROM pg_class c WHERE c.oid = to_regclass('hookfast_data.events_' || suffix);
        IF total < 0 THEN
            EXECUTE format('SELECT count(*) FROM hookfast_data.%I', 'events_' || suffix) INTO total;
        END IF;
        CREATE TABLE hookfast_data.leaving_survivors (id uuid PRIMARY KEY);
        INSERT INTO hookfast_data.leaving_survivors
        SELECT e.id FROM hookfast_data.survivors(since, upto) s JOIN hookfast_data.events e ON e.id = s.event_id;
        GET DIAGNOSTICS stays = ROW_COUNT;
        FOREACH part IN ARRAY ARRAY['events', 'attempts'] LOOP
            CONTINUE WHEN to_regclass('hookfast_data.' || part || '_' || suffix) IS NULL;
            EXECUTE format('CREATE TABLE hookfast_data.leaving_kept AS SELECT p.* FROM hookfast_data.%I p JOIN '
                'hookfast_data.leaving_survivors s ON s.id = p.%I',
                part || '_' || suffix, CASE part WHEN 'events' THEN 'id' ELSE 'event_id' END);
            EXECUTE format('TRUNCATE hookfast_data.%I', part || '_' || suffix);
            EXECUTE format('INSERT INTO hookfast_data.%I SELECT * FROM hookfast_data.leaving_kept',
                part || '_' || suffix);
            DROP TABLE hookfast_data.leaving_kept;
        END LOOP;
        -- They are in no order of events; what stays has its terms made anew.
        IF to_regclass('hookfast_data.search_terms_' || suffix) IS NOT NULL THEN
            EXECUTE format('TRUNCATE hookfast_data.%I', 'search_terms_' || suffix);
            INSERT INTO hookfast_data.search_terms (term, event_id)
            SELECT t, e.id FROM hookfast_data.leaving_survivors l JOIN hookfast_data.events e ON e.id = l.id
            JOIN hookfast_data.sources s ON s.id = e.source_id AND s.search_fields <> '{}'
            CROSS JOIN LATERAL hookfast_data.terms(e.body, s.search_fields) t ON CONFLICT DO NOTHING;
        END IF;
        DROP TABLE hookfast_data.leaving_survivors;
        PERFORM hookfast_data.log('retention.day', empty_day.day::text,
            jsonb_build_object('dropped', greatest(total - stays, 0), 'kept', stays));
    END IF;
    RETURN stays;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.empty_day IS
    'Takes a day''s events, attempts and search terms away, except what is still needed; answers with how many '
    'events stay, or null where somebody is in the way';
REVOKE ALL ON FUNCTION hookfast_data.empty_day FROM PUBLIC;
