-- hookfast: known handler
-- Answers with the id, whether the registry has it from a newer configuration, and whether it has exactly this
-- subscription. Parameters as in register_handler.sql. It only reads, so that a start that changes nothing writes
-- nothing.
SELECT k.id,
    k.config_version > $6::bigint AND k.retired_at IS NULL AS outdated,
    k.config_version = $6::bigint AND k.retired_at IS NULL
        AND (k.kind, k.types, k.sources, k.max_attempts, k.retry, k.ordered_by, k.on_dead, k.filter, k.behind_after)
        IS NOT DISTINCT FROM ($2::text, $3::text[], $4::text[], $5::smallint, $7::jsonb, $8::text[], $9::text,
            $10::text, $11::bigint * interval '1 millisecond') AS same
FROM hookfast_data.handlers k WHERE k.name = $1::text
