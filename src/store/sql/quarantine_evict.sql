-- hookfast: quarantine evict
-- The oldest leave until the source is within its bound again, but for what an operator asks for just now.
-- $1 source, $2 most rows, $3 most bytes
DELETE FROM hookfast_data.quarantine q USING (
    SELECT id, row_number() OVER newest AS rows, sum(octet_length(body)) OVER newest AS bytes
    FROM hookfast_data.quarantine WHERE source_id = $1::smallint
    WINDOW newest AS (ORDER BY id DESC)
) ranked
WHERE q.id = ranked.id AND q.asked IS NULL AND ranked.rows > 1
    AND (ranked.rows > $2::bigint OR ranked.bytes > $3::bigint)
