-- hookfast: quarantine keep
-- $1 source, $2 digest, $3 reason, $4 topic, $5 headers, $6 body, $7 most rows, $8 most bytes, $9 whether the oldest
-- may leave for it afterwards
WITH known AS (
    UPDATE hookfast_data.quarantine SET count = count + 1, last_at = clock_timestamp()
    WHERE source_id = $1::smallint AND digest = $2::bytea
    RETURNING id
),
room AS (
    SELECT $9::boolean
        OR (count(*) < $7::bigint AND coalesce(sum(octet_length(body)),
        0) + octet_length($6::bytea) <= $8::bigint) AS enough
    FROM hookfast_data.quarantine WHERE source_id = $1::smallint
),
added AS (
    INSERT INTO hookfast_data.quarantine AS q (source_id, digest, reason, topic, headers, body)
    SELECT $1::smallint, $2::bytea, $3::text, $4::text, $5::text::jsonb, $6::bytea
    WHERE (SELECT enough FROM room) AND NOT EXISTS (SELECT FROM known)
    ON CONFLICT (source_id, digest) DO UPDATE SET count = q.count + 1, last_at = clock_timestamp()
    RETURNING id
)
SELECT EXISTS (SELECT FROM known) OR EXISTS (SELECT FROM added)
