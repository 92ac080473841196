-- What the person on call looks at: where it stands, what fails, who works, how much there is.

-- One scan of the outbox. By the statement's time, so that one row is not counted twice.
CREATE VIEW hookfast.backlog AS
WITH owed AS MATERIALIZED (
    SELECT o.handler_id,
        count(*) FILTER (WHERE o.locked_by IS NULL AND (o.due_at IS NULL OR o.due_at <= statement_timestamp())) AS ready,
        count(*) FILTER (WHERE o.locked_by IS NOT NULL) AS running,
        count(*) FILTER (WHERE o.locked_by IS NULL AND o.due_at = 'infinity') AS waiting,
        count(*) FILTER (WHERE o.locked_by IS NULL AND o.due_at > statement_timestamp() AND o.due_at <> 'infinity') AS later,
        count(*) FILTER (WHERE o.locked_by IS NULL AND o.due_at > statement_timestamp() AND o.due_at <= statement_timestamp() + interval '5 minutes') AS due_in_5_minutes,
        count(*) FILTER (WHERE o.locked_by IS NULL AND o.due_at > statement_timestamp() AND o.due_at <= statement_timestamp() + interval '30 minutes') AS due_in_30_minutes,
        count(*) FILTER (WHERE o.locked_by IS NULL AND o.due_at > statement_timestamp() AND o.due_at <= statement_timestamp() + interval '120 minutes') AS due_in_120_minutes,
        min(o.id) FILTER (WHERE o.locked_by IS NULL AND o.due_at IS NULL) AS oldest_fresh,
        min(o.due_at) FILTER (WHERE o.locked_by IS NULL AND o.due_at <= statement_timestamp()) AS oldest_due
    FROM hookfast_data.outbox o GROUP BY o.handler_id
),
done AS MATERIALIZED (
    SELECT r.subject, sum(r.value) / 5.0 AS per_minute FROM hookfast_data.rollups r
    WHERE r.counter IN ('delivered', 'filtered', 'dead') AND r.subject LIKE 'handler:%'
        AND r.minute >= date_trunc('minute', statement_timestamp()) - interval '5 minutes'
        AND r.minute < date_trunc('minute', statement_timestamp())
    GROUP BY r.subject
),
counted AS (
    SELECT h.id, h.name, h.kind, h.paused_at,
        coalesce(o.ready, 0) AS ready, coalesce(o.running, 0) AS running, coalesce(o.waiting, 0) AS waiting, coalesce(o.later, 0) AS later,
        coalesce(o.due_in_5_minutes, 0) AS due_in_5_minutes, coalesce(o.due_in_30_minutes, 0) AS due_in_30_minutes,
        coalesce(o.due_in_120_minutes, 0) AS due_in_120_minutes,
        least(o.oldest_due, (SELECT hookfast_data.id_time(f.event_id) FROM hookfast_data.outbox f
            WHERE f.handler_id = o.handler_id AND f.id = o.oldest_fresh)) AS oldest_ready_at,
        round(coalesce(d.per_minute, 0), 1) AS per_minute,
        (SELECT count(*) FROM hookfast_data.leases l
            WHERE l.expires_at > statement_timestamp() AND l.handlers @> ARRAY[h.id]) AS served_by
    FROM hookfast_data.handlers h LEFT JOIN owed o ON o.handler_id = h.id LEFT JOIN done d ON d.subject = 'handler:' || h.name
)
SELECT c.name AS handler, c.ready, c.running, c.waiting, c.later, c.due_in_5_minutes, c.due_in_30_minutes, c.due_in_120_minutes,
    c.oldest_ready_at, statement_timestamp() - c.oldest_ready_at AS oldest_ready_age, c.per_minute, c.served_by,
    c.served_by = 0 AND (c.kind <> 'pull' OR coalesce(c.oldest_ready_at < statement_timestamp() - interval '5 minutes', false)) AS unserved,
    c.paused_at IS NOT NULL AS paused
FROM counted c;
COMMENT ON VIEW hookfast.backlog IS 'One row a handler: how many deliveries are ready, running, waiting for their key, or due later; since when the oldest is ready; how many a minute were ended in the last five; and whether nobody serves it';

-- A handler's own counts of an hour.
CREATE VIEW hookfast.handler_health AS
WITH hour AS MATERIALIZED (
    SELECT r.subject, r.counter, sum(r.value) AS value, max(r.minute) AS last FROM hookfast_data.rollups r
    WHERE r.subject LIKE 'handler:%' AND r.minute > statement_timestamp() - interval '1 hour'
    GROUP BY r.subject, r.counter
)
SELECT h.name AS handler, h.kind,
    CASE WHEN h.paused_at IS NOT NULL THEN 'paused'
         WHEN b.unserved THEN 'unserved'
         WHEN h.breaker_opened_at IS NOT NULL THEN 'open'
         WHEN c.failed > greatest(10, c.delivered) THEN 'failing'
         ELSE 'ok' END AS state,
    CASE WHEN h.paused_at IS NOT NULL THEN 'since ' || h.paused_at::timestamptz(0) || ': '
             || CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN h.paused_why ELSE hookfast_data.shown_kind(left(h.paused_why, 10)) END
         WHEN b.unserved THEN 'no live worker serves it'
         WHEN h.breaker_opened_at IS NOT NULL THEN 'unavailable since ' || h.breaker_opened_at::timestamptz(0) || ', tried again at ' || h.breaker_until::timestamptz(0)
         WHEN c.failed > greatest(10, c.delivered) THEN 'more failed than were delivered in the last hour: see hookfast.failures' END AS why,
    c.delivered AS delivered_last_hour, c.failed AS failed_last_hour, c.dead AS dead_last_hour,
    (SELECT count(*) FROM hookfast_data.dead_letters d WHERE d.handler_id = h.id) AS dead_letters, b.ready, b.oldest_ready_age, b.per_minute, b.served_by,
    h.types, h.sources, h.ordered_by IS NOT NULL AS ordered, h.tries::integer AS tries
FROM hookfast_data.handlers h
JOIN hookfast.backlog b ON b.handler = h.name
CROSS JOIN LATERAL (
    SELECT coalesce(sum(x.value) FILTER (WHERE x.counter = 'delivered'), 0)::bigint AS delivered,
        coalesce(sum(x.value) FILTER (WHERE x.counter IN ('retry', 'dead')), 0)::bigint AS failed,
        coalesce(sum(x.value) FILTER (WHERE x.counter = 'dead'), 0)::bigint AS dead
    FROM hour x WHERE x.subject = 'handler:' || h.name
) c;
COMMENT ON VIEW hookfast.handler_health IS 'One row a handler: ok, failing, open (its circuit breaker), unserved or paused, with its counts of the last hour and its dead letters';

-- What is usual is the median of the last 14 days at this time of the day; a silence is judged by the same: by how many
-- events there were in that span on those days, so that a night is no alarm.
CREATE FUNCTION hookfast_data.count_between(subject text, counters text[], since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT coalesce(sum(r.value), 0)::bigint FROM hookfast_data.rollups r
        WHERE r.subject = count_between.subject AND r.counter = ANY (counters) AND r.minute >= since AND r.minute < until);
COMMENT ON FUNCTION hookfast_data.count_between IS 'A sum of counters over a time';

CREATE FUNCTION hookfast_data.usual(subject text, since timestamptz, until timestamptz) RETURNS numeric
    LANGUAGE sql STABLE
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY hookfast_data.count_between(subject, '{stored,conflict}',
                since - d * interval '1 day', until - d * interval '1 day'))::numeric(20, 1)
        FROM generate_series(1, 14) d
        WHERE since - d * interval '1 day' >= (SELECT min(r.minute) FROM hookfast_data.rollups r
            WHERE r.subject = usual.subject AND r.counter = 'stored')
        HAVING count(*) >= 3);
COMMENT ON FUNCTION hookfast_data.usual IS 'How many events a source usually brings between two times of the day; null where it is known for less than three days';

CREATE FUNCTION hookfast_data.source_counts(of_source text)
    RETURNS TABLE (last_event_at timestamptz, last_hour bigint, usual_hour numeric, usual_since_last numeric,
        duplicates bigint, conflicts bigint, rejected bigint, rejects jsonb, stored_15 bigint, rejected_15 bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH last AS (
        SELECT (SELECT r.minute FROM hookfast_data.rollups r
            WHERE r.subject = 'source:' || of_source AND r.counter = 'stored' ORDER BY r.minute DESC LIMIT 1) AS at
    ),
    hour AS MATERIALIZED (
        SELECT r.minute, r.counter, r.value FROM hookfast_data.rollups r
        WHERE r.subject = 'source:' || of_source AND r.minute > statement_timestamp() - interval '1 hour'
    )
    SELECT l.at,
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter IN ('stored', 'conflict')),
        hookfast_data.usual('source:' || of_source, statement_timestamp() - interval '1 hour', statement_timestamp()),
        hookfast_data.usual('source:' || of_source, greatest(l.at + interval '1 minute', statement_timestamp() - interval '1 day'), statement_timestamp()),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter = 'duplicate'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter = 'conflict'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter LIKE '%\_signature'),
        (SELECT coalesce(jsonb_object_agg(x.counter, x.value), '{}') FROM (
            SELECT h.counter, sum(h.value) AS value FROM hour h WHERE h.counter LIKE '%\_signature' GROUP BY 1) x),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter IN ('stored', 'conflict', 'duplicate') AND h.minute > statement_timestamp() - interval '15 minutes'),
        (SELECT coalesce(sum(h.value), 0)::bigint FROM hour h WHERE h.counter LIKE '%\_signature' AND h.minute > statement_timestamp() - interval '15 minutes')
    FROM last l
$$;
COMMENT ON FUNCTION hookfast_data.source_counts IS 'What the rollups say of a source';

CREATE VIEW hookfast.source_health AS
SELECT s.name AS source, s.kind,
    CASE WHEN c.rejected_15 >= 10 AND c.rejected_15 > c.stored_15 THEN 'rejecting'
         WHEN c.last_event_at < statement_timestamp() - interval '10 minutes' AND c.usual_since_last >= 10 THEN 'silent'
         ELSE 'ok' END AS state,
    c.last_event_at, statement_timestamp() - c.last_event_at AS silence, c.last_hour, c.usual_hour,
    c.duplicates AS duplicates_last_hour, c.conflicts AS conflicts_last_hour,
    c.rejected AS rejected_last_hour, c.rejects AS rejects_by_reason,
    (SELECT count(*) FROM hookfast_data.quarantine q WHERE q.source_id = s.id) AS quarantined
FROM hookfast_data.sources s CROSS JOIN LATERAL hookfast_data.source_counts(s.name) c;
COMMENT ON VIEW hookfast.source_health IS 'One row a source: ok, silent (at this time of the day ten or more are usual since the last) or rejecting (in 15 minutes ten and more, and most), with its last event to the minute, and the last hour beside the usual one';

CREATE VIEW hookfast.failures AS
SELECT f.handler, f.error_kind, count(*) AS count, min(f.finished_at) AS first_at, max(f.finished_at) AS last_at,
    (array_agg(f.event_id ORDER BY f.finished_at DESC))[1] AS sample_event_id,
    (array_agg(f.error ORDER BY f.finished_at DESC))[1] AS sample_error
FROM hookfast.attempts f
WHERE f.outcome IN ('retry', 'dead', 'lost') AND f.finished_at > statement_timestamp() - interval '1 day'
GROUP BY f.handler, f.error_kind;
COMMENT ON VIEW hookfast.failures IS 'The failed attempts of the last 24 hours by handler and kind of error: how many, first, last, and the newest as a sample';

CREATE VIEW hookfast.workers AS
SELECT l.holder, l.kind, l.id AS lease_id,
    ARRAY(SELECT h.name FROM hookfast_data.handlers h WHERE h.id = ANY (l.handlers) ORDER BY h.name) AS handlers,
    l.registered_at, l.expires_at, l.expires_at > statement_timestamp() AS alive,
    coalesce(r.running, 0) AS running
FROM hookfast_data.leases l
LEFT JOIN (SELECT o.locked_by, count(*) AS running FROM hookfast_data.outbox o WHERE o.locked_by IS NOT NULL GROUP BY 1) r
    ON r.locked_by = l.id;
COMMENT ON VIEW hookfast.workers IS 'Who may hold deliveries: workers, and the batches that clients pulled; and how many each holds';

CREATE VIEW hookfast.processes AS
SELECT p.holder, p.roles, p.version, p.started_at, p.seen_at, p.seen_at > statement_timestamp() - interval '20 seconds' AS alive, p.not_ready
FROM hookfast_data.processes p WHERE p.seen_at > statement_timestamp() - interval '1 day';
COMMENT ON VIEW hookfast.processes IS 'The processes of the last day: their roles, and whether they live and are ready';

CREATE FUNCTION hookfast_data.oldest_snapshot() RETURNS TABLE (age bigint, holder text)
    LANGUAGE sql STABLE AS $$
    SELECT s.age, s.holder FROM (
        SELECT age(a.backend_xmin)::bigint AS age, 'process ' || a.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '') AS holder
        FROM pg_catalog.pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
        UNION ALL
        SELECT age(p.transaction)::bigint, 'prepared transaction ' || p.gid FROM pg_catalog.pg_prepared_xacts p
        UNION ALL
        SELECT age(r.xmin)::bigint, 'replication slot ' || r.slot_name FROM pg_catalog.pg_replication_slots r WHERE r.xmin IS NOT NULL
    ) s ORDER BY s.age DESC LIMIT 1
$$;
COMMENT ON FUNCTION hookfast_data.oldest_snapshot IS 'Who keeps dead rows from being removed for longest, and for how many transactions';

CREATE VIEW hookfast.storage AS
WITH tables AS MATERIALIZED (
    SELECT coalesce(p.relname, c.relname) AS name, c.oid, p.oid IS NOT NULL AS is_day,
        pg_catalog.pg_total_relation_size(c.oid) AS bytes, greatest(c.reltuples, 0)::bigint AS rows,
        coalesce(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead_rows,
        CASE WHEN p.oid IS NOT NULL THEN to_date(right(c.relname, 8), 'YYYYMMDD') END AS day
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'hookfast_data'
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
    WHERE c.relkind = 'r'
)
SELECT t.name::text AS "table", count(*) FILTER (WHERE t.is_day) AS days, min(t.day) AS oldest_day, max(t.day) AS newest_day, sum(t.rows)::bigint AS estimated_rows,
    sum(t.dead_rows)::bigint AS dead_rows, sum(t.bytes)::bigint AS bytes, pg_catalog.pg_size_pretty(sum(t.bytes)) AS size,
    (avg(t.bytes) FILTER (WHERE t.day < current_date AND t.day >= current_date - 7))::bigint AS bytes_a_day,
    s.age AS oldest_snapshot_age, s.holder AS oldest_snapshot_holder
FROM tables t LEFT JOIN hookfast_data.oldest_snapshot() s ON true
GROUP BY t.name, s.age, s.holder;
COMMENT ON VIEW hookfast.storage IS 'One row a table, its days together: size, dead rows, bytes a day over the last seven whole days, and who holds the oldest snapshot, which keeps dead rows from being removed';

CREATE FUNCTION hookfast.status() RETURNS TABLE (area text, subject text, state text, says text)
    LANGUAGE sql STABLE AS $$
    SELECT 'intake', 'ingress', CASE WHEN count(*) FILTER (WHERE p.not_ready IS NULL) = 0 THEN 'bad' WHEN count(*) FILTER (WHERE p.not_ready IS NOT NULL) > 0 THEN 'warn' ELSE 'ok' END,
        CASE WHEN count(*) = 0 THEN 'no live process takes webhooks' ELSE count(*) FILTER (WHERE p.not_ready IS NULL) || ' of ' || count(*) || ' live processes take webhooks' || coalesce('; ' || min(p.not_ready), '') END
    FROM hookfast.processes p WHERE p.alive AND 'ingress' = ANY (p.roles)
    UNION ALL
    SELECT 'intake', 'partitions', CASE WHEN t.newest_day > current_date + 2 THEN 'ok' WHEN t.newest_day >= current_date + 1 THEN 'warn' ELSE 'bad' END,
        coalesce('days are made up to ' || t.newest_day, 'no day is made, so nothing can be stored')
    FROM (SELECT max(x.newest_day) AS newest_day FROM hookfast.storage x WHERE x."table" = 'events') t
    UNION ALL
    SELECT 'source', s.source, CASE s.state WHEN 'ok' THEN 'ok' ELSE 'bad' END,
        coalesce('last event ' || to_char(s.last_event_at, 'YYYY-MM-DD HH24:MI'), 'no event yet') || ', ' || s.last_hour || ' in the last hour'
            || coalesce(' (usually ' || s.usual_hour || ')', '') || CASE WHEN s.rejected_last_hour > 0 THEN ', ' || s.rejected_last_hour || ' rejected' ELSE '' END
            || CASE WHEN s.conflicts_last_hour > 0 THEN ', ' || s.conflicts_last_hour || ' conflicts' ELSE '' END
            || CASE WHEN s.quarantined > 0 THEN ', ' || s.quarantined || ' in quarantine' ELSE '' END
            || CASE s.state WHEN 'ok' THEN '' ELSE ': ' || s.state END
    FROM hookfast.source_health s WHERE s.kind <> 'hookfast'
    UNION ALL
    SELECT 'handler', h.handler, CASE WHEN h.state = 'ok' AND h.dead_letters = 0 THEN 'ok' WHEN h.state IN ('ok', 'paused', 'failing') THEN 'warn' ELSE 'bad' END,
        h.ready || ' ready' || coalesce(' (oldest ' || date_trunc('second', h.oldest_ready_age) || ')', '') || ', ' || h.per_minute || ' a minute, '
            || h.delivered_last_hour || ' delivered and ' || h.failed_last_hour || ' failed in the last hour, ' || h.dead_letters || ' dead letters'
            || coalesce('; ' || h.state || ': ' || h.why, '')
    FROM hookfast.handler_health h
    UNION ALL
    SELECT 'replay', r.replay_id || ' to ' || r.handler, 'ok', r.state || ', ' || r.replayed || ' of ' || r.matching
    FROM hookfast.replays r WHERE r.state IN ('running', 'paused')
    UNION ALL
    SELECT 'storage', 'database', CASE WHEN max(t.oldest_snapshot_age) > 10000000 THEN 'warn' ELSE 'ok' END,
        pg_catalog.pg_size_pretty(sum(t.bytes)) || CASE WHEN max(t.oldest_snapshot_age) > 1000000
            THEN ', the oldest snapshot is ' || max(t.oldest_snapshot_age) || ' transactions old, held by ' || max(t.oldest_snapshot_holder) ELSE '' END
    FROM hookfast.storage t
$$;
COMMENT ON FUNCTION hookfast.status IS 'One screen: is intake safe, is work moving. state is ok, warn or bad';
-- source_counts stays open: readers call it through the view, and can call nothing in this schema by name.
REVOKE ALL ON FUNCTION hookfast.status, hookfast_data.count_between, hookfast_data.usual FROM PUBLIC;
