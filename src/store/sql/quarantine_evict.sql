-- hookfast: quarantine evict
-- Of one reason's requests that were answered 401: past the bound in rows the oldest, past that in bytes the largest,
-- so that a few large ones cost no small one its place. Not what an operator asks for just now.
-- $1 source, $2 reason, $3 most rows, $4 most bytes
DELETE FROM hookfast_data.quarantine q USING (
    SELECT id, row_number() OVER (ORDER BY id DESC) AS rows,
        sum(octet_length(body)) OVER (ORDER BY octet_length(body), id DESC) AS bytes
    FROM hookfast_data.quarantine WHERE source_id = $1::smallint AND reason = $2::text AND NOT responded_ok
) ranked
WHERE q.id = ranked.id AND q.requested_action IS NULL AND NOT q.responded_ok
    AND (ranked.rows > $3::bigint OR ranked.bytes > $4::bigint)
