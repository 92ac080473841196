-- What leaves, by the day. A day of events is emptied in one transaction, under the lock that keeps replays and retries
-- away: what is still needed stays in its place, and the rest is gone with its files. TRUNCATE locks that day alone;
-- exchanging the partition for another would lock the whole table, and all ingest behind it.

-- The days that are over by more than the time events are kept, with what would stay.
CREATE FUNCTION hookfast_data.days_to_leave() RETURNS TABLE (day date, lower uuid, upper uuid)
    LANGUAGE sql STABLE AS $$
    SELECT d.day, hookfast_data.id_at(d.day::timestamp AT TIME ZONE 'UTC'), hookfast_data.id_at((d.day + 1)::timestamp AT TIME ZONE 'UTC')
    FROM (SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
        WHERE n.nspname = 'hookfast_data' AND p.relname = 'events') d
    CROSS JOIN (SELECT r.keep FROM hookfast_data.retention r WHERE r.class = 'events') r
    WHERE (d.day + 1)::timestamp AT TIME ZONE 'UTC' <= clock_timestamp() - r.keep ORDER BY d.day
$$;
COMMENT ON FUNCTION hookfast_data.days_to_leave IS 'The days whose events are older than they are kept';

-- Owed, dead, held, a conflict that is kept with what it conflicts with, or still before a replay.
CREATE FUNCTION hookfast_data.survivors(lower uuid, upper uuid) RETURNS TABLE (event_id uuid)
    LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan AS $$
    SELECT o.event_id FROM hookfast_data.outbox o WHERE o.event_id >= lower AND o.event_id < upper
    UNION SELECT d.event_id FROM hookfast_data.dead_letters d WHERE d.event_id >= lower AND d.event_id < upper
    UNION SELECT h.event_id FROM hookfast_data.holds h WHERE h.event_id >= lower AND h.event_id < upper
    UNION SELECT e.id FROM hookfast_data.events e, hookfast_data.retention r
        WHERE e.id >= lower AND e.id < upper AND e.conflicts_with IS NOT NULL AND r.class = 'conflicts'
            AND (r.keep IS NULL OR hookfast_data.id_time(e.id) > clock_timestamp() - r.keep)
    -- The first of a pair may be of an earlier day than the conflict.
    UNION SELECT e.conflicts_with FROM hookfast_data.events e, hookfast_data.retention r
        WHERE e.id >= lower AND e.conflicts_with >= lower AND e.conflicts_with < upper AND r.class = 'conflicts'
            AND (r.keep IS NULL OR hookfast_data.id_time(e.id) > clock_timestamp() - r.keep)
    UNION SELECT e.id FROM hookfast_data.events e JOIN hookfast_data.replays r
        ON e.id > r.after_id AND e.id < r.upto_id AND r.state IN ('running', 'paused')
        WHERE e.id >= lower AND e.id < upper
$$;
COMMENT ON FUNCTION hookfast_data.survivors IS 'The events between two ids that retention leaves alone';

-- One day. Answers with how many events stay; null where somebody is in the way, and it is tried again later.
CREATE FUNCTION hookfast_data.empty_day(day date) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET client_min_messages = error AS $$
DECLARE
    suffix text := to_char(empty_day.day, 'YYYYMMDD');
    since uuid;
    upto uuid;
    stays bigint;
    total bigint;
    part text;
BEGIN
    SELECT d.lower, d.upper INTO since, upto FROM hookfast_data.days_to_leave() d WHERE d.day = empty_day.day;
    IF NOT FOUND OR NOT pg_try_advisory_xact_lock(x'686973746f7279'::bigint) THEN
        RETURN NULL;
    END IF;
    SET LOCAL lock_timeout = '100ms';
    -- No further than to one that leaves: a day may have a hundred million.
    stays := (SELECT count(*) FROM hookfast_data.survivors(since, upto) s JOIN hookfast_data.events e ON e.id = s.event_id);
    EXECUTE format('SELECT count(*) FROM (SELECT FROM hookfast_data.%I LIMIT %s) x', 'events_' || suffix, stays + 1) INTO total;
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
            EXECUTE format('CREATE TABLE hookfast_data.leaving_kept AS SELECT p.* FROM hookfast_data.%I p JOIN hookfast_data.leaving_survivors s ON s.id = p.%I',
                part || '_' || suffix, CASE part WHEN 'events' THEN 'id' ELSE 'event_id' END);
            EXECUTE format('TRUNCATE hookfast_data.%I', part || '_' || suffix);
            EXECUTE format('INSERT INTO hookfast_data.%I SELECT * FROM hookfast_data.leaving_kept', part || '_' || suffix);
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
        PERFORM hookfast_data.log('retention.day', empty_day.day::text, jsonb_build_object('dropped', greatest(total - stays, 0), 'kept', stays));
    END IF;
    RETURN stays;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.empty_day IS 'Takes a day''s events, attempts and search terms away, except what is still needed; answers with how many events stay, or null where somebody is in the way';

-- What else leaves: in batches, so that no statement is long. Answers with how many rows went.
CREATE FUNCTION hookfast_data.leave_rows(class text, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    keeps interval := (SELECT r.keep FROM hookfast_data.retention r WHERE r.class = leave_rows.class);
    went bigint := 0;
BEGIN
    IF keeps IS NULL THEN
        RETURN 0;
    END IF;
    IF leave_rows.class = 'keys' THEN
        DELETE FROM hookfast_data.idempotency_keys k USING (
            SELECT x.source_id, x.key FROM hookfast_data.idempotency_keys x
            WHERE x.expires_at < clock_timestamp() - keeps ORDER BY x.expires_at LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE k.source_id = old.source_id AND k.key = old.key;
    ELSIF leave_rows.class = 'dead_letters' THEN
        DELETE FROM hookfast_data.dead_letters d USING (
            SELECT x.delivery_id FROM hookfast_data.dead_letters x
            WHERE x.died_at < clock_timestamp() - keeps
                AND NOT EXISTS (SELECT FROM hookfast_data.holds h WHERE h.event_id = x.event_id)
            ORDER BY x.died_at LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE d.delivery_id = old.delivery_id;
    ELSIF leave_rows.class = 'rollups' THEN
        DELETE FROM hookfast_data.rollups r USING (
            SELECT x.ctid AS tid FROM hookfast_data.rollups x WHERE x.minute < clock_timestamp() - keeps ORDER BY x.minute LIMIT most
        ) old WHERE r.ctid = old.tid;
    ELSE
        RAISE 'no rows leave as %', leave_rows.class;
    END IF;
    GET DIAGNOSTICS went = ROW_COUNT;
    IF went > 0 AND leave_rows.class = 'dead_letters' THEN
        PERFORM hookfast_data.log('retention.dead_letters', 'all', jsonb_build_object('dropped', went));
    END IF;
    RETURN went;
END $$;
COMMENT ON FUNCTION hookfast_data.leave_rows IS 'Takes up to so many old rows of a class away; answers with how many';

-- What was not announced, or for a longer time, is announced first.
CREATE FUNCTION hookfast_data.leaves_from(of hookfast_data.retention) RETURNS timestamptz
    LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN of.keep >= of.announced_keep THEN of.announced_at ELSE clock_timestamp() END + interval '1 day'
$$;
COMMENT ON FUNCTION hookfast_data.leaves_from IS 'Before when nothing of a class is dropped';

CREATE FUNCTION hookfast.retention_preview()
    RETURNS TABLE (class text, day date, rows bigint, stays bigint, bytes bigint, goes_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d record;
    not_before timestamptz;
BEGIN
    not_before := (SELECT hookfast_data.leaves_from(r) FROM hookfast_data.retention r WHERE r.class = 'events');
    FOR d IN SELECT * FROM hookfast_data.days_to_leave() LOOP
        EXECUTE format('SELECT count(*) FROM hookfast_data.%I', 'events_' || to_char(d.day, 'YYYYMMDD')) INTO rows;
        class := 'events';
        day := d.day;
        stays := (SELECT count(*) FROM hookfast_data.survivors(d.lower, d.upper));
        bytes := (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'hookfast_data' AND c.relname IN ('events_' || to_char(d.day, 'YYYYMMDD'), 'attempts_' || to_char(d.day, 'YYYYMMDD'), 'search_terms_' || to_char(d.day, 'YYYYMMDD')));
        goes_at := greatest(not_before, clock_timestamp());
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    SELECT r.class, NULL::date, CASE r.class
            WHEN 'keys' THEN (SELECT count(*) FROM hookfast_data.idempotency_keys k WHERE k.expires_at < clock_timestamp() - r.keep)
            WHEN 'dead_letters' THEN (SELECT count(*) FROM hookfast_data.dead_letters k WHERE k.died_at < clock_timestamp() - r.keep)
            ELSE (SELECT count(*) FROM hookfast_data.rollups k WHERE k.minute < clock_timestamp() - r.keep) END,
        0::bigint, NULL::bigint, greatest(hookfast_data.leaves_from(r), clock_timestamp())
    FROM hookfast_data.retention r WHERE r.class IN ('keys', 'dead_letters', 'rollups') AND r.keep IS NOT NULL ORDER BY 1;
END $$;
COMMENT ON FUNCTION hookfast.retention_preview IS 'A dry run: what retention would drop now, by class and, for events with their attempts, by day; how many of these stay since they are owed, dead, held or in conflict; and not before when. It changes nothing';

-- Whether a class may be dropped: the first time, and after it was made shorter, a day after it was announced.
CREATE FUNCTION hookfast_data.may_leave(class text) RETURNS boolean
    LANGUAGE plpgsql AS $$
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
    SELECT coalesce(sum(p.rows - p.stays), 0) INTO would FROM hookfast.retention_preview() p WHERE p.class = may_leave.class;
    IF would > 0 THEN
        UPDATE hookfast_data.retention x SET announced_at = clock_timestamp(), announced_keep = x.keep WHERE x.class = may_leave.class;
        PERFORM hookfast_data.raise_news('hookfast.retention.announced', 'retention:' || may_leave.class || ':' || r.keep || ':' || extract(epoch FROM clock_timestamp()),
            jsonb_build_object('class', may_leave.class, 'keep', r.keep, 'rows', would, 'goes_at', clock_timestamp() + interval '1 day'));
        PERFORM hookfast_data.log('retention.announced', may_leave.class, jsonb_build_object('keep', r.keep, 'rows', would));
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.may_leave IS 'Whether rows of a class may be dropped; announces it where it has not been announced';

REVOKE ALL ON FUNCTION hookfast.retention_preview, hookfast_data.days_to_leave, hookfast_data.survivors, hookfast_data.empty_day,
    hookfast_data.leave_rows, hookfast_data.leaves_from, hookfast_data.may_leave FROM PUBLIC;
