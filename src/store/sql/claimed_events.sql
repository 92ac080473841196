-- hookfast: claimed events
-- The payloads of a claim. With literal bounds, so that the plan holds one or two partitions and not a year of them.
-- A filter is asked only of the bodies that are brought along: of the longest, all of a claim may take longer than its
-- statement may, and the handler would stand still.
-- $1 event ids, $2 the smallest, $3 the largest, $4 the longest body brought along (longer ones come one by one),
-- $5 the handler's payload filter, or null
SELECT e.id, s.name AS source, e.type, e.topic, e.idempotency_key, e.conflicts_with, e.headers,
    floor(extract(epoch FROM e.received_at) * 1000000)::bigint AS received_at,
    CASE WHEN $5::text IS NULL OR octet_length(e.body) > $4::integer THEN true
        ELSE hookfast_data.payload_matches(e.body, $5::text::jsonpath) END AS passes,
    octet_length(e.body) AS length, CASE WHEN octet_length(e.body) <= $4::integer THEN e.body END AS body
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
WHERE e.id = ANY ($1::uuid[]) AND e.id BETWEEN $2::uuid AND $3::uuid
