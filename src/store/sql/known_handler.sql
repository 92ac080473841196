-- hookfast: known handler
-- Returns the id, whether the registered configuration is newer, and whether the registered subscription is the same.
-- The parameters are those of register_handler.sql. It only reads, so that a start that changes nothing writes nothing.
SELECT k.id,
    k.config_version > $6::bigint AND k.retired_at IS NULL AS outdated,
    k.config_version = $6::bigint AND k.retired_at IS NULL
        AND (k.kind, k.types, k.sources, k.max_attempts, k.retry, k.ordered_by, k.on_dead, k.filter, k.behind_after)
        IS NOT DISTINCT FROM ($2::text, $3::text[], $4::text[], $5::smallint, $7::jsonb, $8::text[], $9::text,
            $10::text, $11::bigint * interval '1 millisecond') AS same
FROM hookfast_data.handlers k WHERE k.name = $1::text
