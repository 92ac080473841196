-- What the previous release has in its Rust files, as it sends it. What stands in braces is filled in as it does.

-- name: open_breaker
UPDATE hookfast_data.handlers SET breaker_opened_at = coalesce(breaker_opened_at, clock_timestamp()), breaker_until = clock_timestamp() + $2 * interval '1 millisecond' WHERE id = $1

-- name: closed_breaker
UPDATE hookfast_data.handlers SET breaker_opened_at = NULL, breaker_until = NULL WHERE id = $1 AND breaker_opened_at IS NOT NULL

-- name: clock
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint

-- name: epoch
SELECT token FROM hookfast_data.server_epoch

-- name: new_epoch
INSERT INTO hookfast_data.server_epoch DEFAULT VALUES ON CONFLICT DO NOTHING

-- name: check_filter
SELECT hookfast_data.check_filter($1)

-- name: resolve_function
SELECT format('%I.%I', n.nspname, p.proname) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = to_regprocedure($1 || '(hookfast.event)') AND p.prokind = 'f' AND NOT p.proretset

-- name: call_function
/* hookfast: sql handler */ SELECT {function}(ROW(e.id, s.name, e.type, e.topic, e.origin, e.received_at, e.idempotency_key, e.conflicts_with, e.headers, hookfast_data.as_jsonb(e.body), e.body, $2::bigint, $3::integer)::hookfast.event) FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id WHERE e.id = $1

-- name: register_lease
INSERT INTO hookfast_data.leases (kind, holder, handlers, expires_at) VALUES ('worker', $1, $2, clock_timestamp() + $3 * interval '1 millisecond') RETURNING id

-- name: renew_lease
UPDATE hookfast_data.leases SET expires_at = clock_timestamp() + $2 * interval '1 millisecond' WHERE id = $1

-- name: compatibility
SELECT schema_version, oldest_program FROM hookfast_data.compatibility

-- name: try_lock
SELECT pg_try_advisory_lock($1)

-- name: has_migrations
SELECT to_regclass('hookfast_data.migrations') IS NOT NULL

-- name: applied_migrations
SELECT count(*) FROM hookfast_data.migrations WHERE success

-- name: notify
SELECT pg_notify($1, '')

-- name: sequence
SELECT hookfast_data.sequence($1, $2)

-- name: wake
SELECT hookfast_data.wake($1, $2)

-- name: wake_all
SELECT hookfast_data.wake_all($1)

-- name: wake_pulled
SELECT hookfast_data.wake_all(id) FROM hookfast_data.handlers WHERE kind = 'pull'

-- name: missing_partitions
SELECT t.name AS parent, t.name || '_' || to_char(d.day, 'YYYYMMDD') AS partition, hookfast_data.id_at(d.day AT TIME ZONE 'UTC')::text AS lower, hookfast_data.id_at((d.day + interval '1 day') AT TIME ZONE 'UTC')::text AS upper FROM generate_series(date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') - interval '1 day', date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + $1 * interval '1 day', interval '1 day') AS d (day) CROSS JOIN (VALUES ('events'), ('attempts')) AS t (name) WHERE NOT EXISTS ( SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'hookfast_data' WHERE c.relname = t.name || '_' || to_char(d.day, 'YYYYMMDD')) ORDER BY d.day, t.name

-- name: is_attached
SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = to_regclass('hookfast_data.' || $1))

-- name: prepare_partition
SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SELECT pg_advisory_xact_lock({LOCK})

-- name: make_partition
CREATE TABLE IF NOT EXISTS hookfast_data.{partition} (LIKE hookfast_data.{parent} INCLUDING ALL); ALTER TABLE hookfast_data.{parent} ATTACH PARTITION hookfast_data.{partition} FOR VALUES FROM ('{lower}') TO ('{upper}')

-- name: register_source
INSERT INTO hookfast_data.sources AS s (name, kind) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind RETURNING s.id

-- name: pause
SELECT hookfast.pause($1, $2)

-- name: remove_lease
DELETE FROM hookfast_data.leases l WHERE l.id = $1 AND NOT EXISTS (SELECT FROM hookfast_data.outbox o WHERE o.locked_by = l.id)

-- name: lock_lease
SELECT FROM hookfast_data.leases WHERE id = $1 FOR UPDATE

-- name: rescue_pulled
SELECT handler_id, rescued, dead, ended FROM hookfast_data.rescue_pulled(NULL, interval '0', $1)

-- name: expired_leases
SELECT id FROM hookfast_data.leases WHERE kind = 'worker' AND expires_at < clock_timestamp() ORDER BY id

-- name: lock_expired_lease
SELECT id FROM hookfast_data.leases WHERE id = $1 AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED

-- name: orphans
SELECT DISTINCT o.locked_by FROM hookfast_data.outbox o WHERE o.locked_by IS NOT NULL AND NOT EXISTS (SELECT FROM hookfast_data.leases l WHERE l.id = o.locked_by)

-- name: rollups
INSERT INTO hookfast_data.rollups AS r (minute, subject, counter, value) SELECT date_trunc('minute', clock_timestamp()), subject, counter, value FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (subject, counter, value) ORDER BY subject, counter ON CONFLICT (minute, subject, counter) DO UPDATE SET value = r.value + excluded.value

-- name: fence
SELECT true FROM hookfast_data.outbox WHERE handler_id = $1 AND id = $2 AND attempt = $3 AND locked_by = $4 FOR UPDATE

-- name: end_delivery
WITH gone AS (DELETE FROM hookfast_data.outbox WHERE handler_id = $1 AND id = $2 AND attempt = $3 AND locked_by = $4 RETURNING event_id) INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, duration_ms, lease_id) SELECT event_id, $2, $3, $1, 'delivered', $5, $4 FROM gone

-- name: begin_settling
BEGIN; SET LOCAL statement_timeout = {millis}; SET LOCAL idle_in_transaction_session_timeout = {millis}; SET LOCAL plan_cache_mode = force_custom_plan
