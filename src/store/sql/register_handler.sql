-- hookfast: register handler
-- Registers a handler. Returns its id, and whether the registered configuration is newer (then nothing is changed).
-- Returns no row if another process has just registered it. It ends the retirement of the handler, regardless of the
-- versions.
-- $1 name, $2 kind, $3 types, $4 sources, $5 maximum attempts, $6 version of the configuration, $7 retry policy,
-- $8 path of the ordering key, $9 on_dead, $10 payload filter, $11 behind_after in milliseconds
WITH known AS MATERIALIZED (
    SELECT id, kind, types, sources, max_attempts, config_version, retry, ordered_by, on_dead, filter,
            behind_after, retired_at, retired_why
        FROM hookfast_data.handlers WHERE name = $1::text FOR UPDATE
),
changes AS MATERIALIZED (
    SELECT NOT EXISTS (SELECT FROM known)
        OR EXISTS (
            SELECT FROM known k WHERE k.retired_at IS NOT NULL OR k.config_version < $6::bigint
                OR k.config_version = $6::bigint
                AND (k.kind, k.types, k.sources, k.max_attempts, k.retry, k.ordered_by, k.on_dead, k.filter,
                    k.behind_after)
                    IS DISTINCT FROM ($2::text, $3::text[], $4::text[], $5::smallint, $7::jsonb, $8::text[], $9::text,
                        $10::text, $11::bigint * interval '1 millisecond')
        ) AS needed
),
version AS (
    UPDATE hookfast_data.subscription_version SET version = version + 1, changed_at = clock_timestamp()
    WHERE (SELECT needed FROM changes)
    RETURNING version
),
-- Not one INSERT … ON CONFLICT: it takes a number of the sequence, which is short, before it detects the conflict.
renewed AS (
    UPDATE hookfast_data.handlers h SET kind = $2::text, types = $3::text[], sources = $4::text[],
        max_attempts = $5::smallint,
        retry = $7::jsonb, ordered_by = $8::text[], on_dead = $9::text, filter = $10::text,
        behind_after = $11::bigint * interval '1 millisecond', config_version = $6::bigint,
        registered_version = v.version, registered_at = clock_timestamp(),
        retired_at = NULL, retired_why = NULL, retired_pending = NULL
    FROM version v, known k WHERE h.id = k.id
    RETURNING h.id
),
added AS (
    INSERT INTO hookfast_data.handlers AS h
        (name, kind, types, sources, max_attempts, config_version, registered_version, retry, ordered_by, on_dead,
            filter,
            behind_after)
    SELECT $1::text, $2::text, $3::text[], $4::text[], $5::smallint, $6::bigint, v.version, $7::jsonb, $8::text[],
        $9::text, $10::text, $11::bigint * interval '1 millisecond'
    FROM version v WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (name) DO NOTHING
    RETURNING h.id
),
written AS (SELECT id FROM renewed UNION ALL SELECT id FROM added),
logged AS (
    INSERT INTO hookfast_data.audit_log (action, target, details)
    SELECT 'handler.registered', $1::text, jsonb_build_object('kind', $2::text, 'types', $3::text[],
        'sources', $4::text[], 'max_attempts', $5::smallint, 'retry', $7::jsonb, 'ordered_by', $8::text[],
        'on_dead', $9::text, 'filter', $10::text, 'behind_after',
        $11::bigint * interval '1 millisecond', 'config_version', $6::bigint, 'subscription_version', v.version)
    FROM version v, written
    UNION ALL
    SELECT 'handler.unretired', $1::text, jsonb_build_object('retired_at', k.retired_at, 'why', k.retired_why,
        'subscription_version', v.version)
    FROM known k, version v, written WHERE k.retired_at IS NOT NULL
)
SELECT id, false AS outdated FROM written
UNION ALL
SELECT id, config_version > $6::bigint FROM known WHERE NOT EXISTS (SELECT FROM written)
