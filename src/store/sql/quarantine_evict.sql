-- hookfast: quarantine evict
-- Evicts requests of one reason that were answered 401: beyond the maximum of rows the oldest, beyond the maximum of
-- bytes the largest, so that a few large requests do not displace small ones. Requests with a requested action stay.
-- $1 source, $2 reason, $3 maximum of rows, $4 maximum of bytes
DELETE FROM hookfast_data.quarantine q USING (
    SELECT id, row_number() OVER (ORDER BY id DESC) AS rows,
        sum(octet_length(body)) OVER (ORDER BY octet_length(body), id DESC) AS bytes
    FROM hookfast_data.quarantine WHERE source_id = $1::smallint AND reason = $2::text AND NOT responded_ok
) ranked
WHERE q.id = ranked.id AND q.requested_action IS NULL AND NOT q.responded_ok
    AND (ranked.rows > $3::bigint OR ranked.bytes > $4::bigint)
