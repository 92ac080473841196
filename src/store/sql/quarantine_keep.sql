-- hookfast: quarantine keep
-- Quarantines a request, or counts an identical one. Returns whether it did.
-- $1 source, $2 digest, $3 reason, $4 topic, $5 headers, $6 body, $7 the length and $8 the SHA-256 of the whole body if
-- $6 is an excerpt, $9 whether it is answered 200, $10 maximum of rows and $11 maximum of bytes of those answered 200
WITH room AS (
    SELECT NOT $9::boolean OR (count(*) < $10::bigint
        AND coalesce(sum(octet_length(body)), 0) + octet_length($6::bytea) <= $11::bigint) AS enough
    FROM hookfast_data.quarantine WHERE source_id = $1::smallint AND responded_ok AND $9::boolean
),
-- A request that was answered 401 before is not a promise yet: like a new one it needs space and its whole body.
known AS (
    UPDATE hookfast_data.quarantine q SET count = q.count + 1, last_at = clock_timestamp(),
        responded_ok = q.responded_ok OR $9::boolean,
        body = CASE WHEN $9::boolean AND q.whole_bytes IS NOT NULL THEN $6::bytea ELSE q.body END,
        whole_bytes = CASE WHEN $9::boolean THEN NULL ELSE q.whole_bytes END,
        body_sha256 = CASE WHEN $9::boolean THEN NULL ELSE q.body_sha256 END
    FROM room r WHERE q.source_id = $1::smallint AND q.digest = $2::bytea AND (q.responded_ok OR r.enough)
    RETURNING q.id
),
added AS (
    INSERT INTO hookfast_data.quarantine AS q
        (source_id, digest, reason, topic, headers, body, whole_bytes, body_sha256, responded_ok)
    SELECT $1::smallint, $2::bytea, $3::text, $4::text, $5::text::jsonb, $6::bytea, $7::bigint, $8::bytea, $9::boolean
    WHERE (SELECT enough FROM room) AND NOT EXISTS (SELECT FROM known)
    ON CONFLICT (source_id, digest) DO UPDATE SET count = q.count + 1, last_at = clock_timestamp(),
        responded_ok = q.responded_ok OR excluded.responded_ok,
        body = CASE WHEN excluded.responded_ok AND q.whole_bytes IS NOT NULL THEN excluded.body ELSE q.body END,
        whole_bytes = CASE WHEN excluded.responded_ok THEN NULL ELSE q.whole_bytes END,
        body_sha256 = CASE WHEN excluded.responded_ok THEN NULL ELSE q.body_sha256 END
    RETURNING q.id
)
SELECT EXISTS (SELECT FROM known) OR EXISTS (SELECT FROM added)
