-- hookfast: claimed events
-- The events of a claim. It is planned for the bounds, so that the plan has one or two partitions and not a year of
-- them. The filter is applied only to bodies that are returned: for the longest bodies, a whole claim could exceed the
-- statement timeout, and the handler would make no progress.
-- $1 event ids, $2 the smallest, $3 the largest, $4 the longest body to return (longer ones are fetched one by one),
-- $5 the handler's payload filter, or null
SELECT e.id, s.name AS source, e.type, e.topic, e.idempotency_key, e.conflicts_with, e.headers,
    floor(extract(epoch FROM e.received_at) * 1000000)::bigint AS received_at,
    CASE WHEN $5::text IS NULL OR octet_length(e.body) > $4::integer THEN true
        ELSE hookfast_data.payload_matches(e.body, $5::text::jsonpath) END AS passes,
    octet_length(e.body) AS length, CASE WHEN octet_length(e.body) <= $4::integer THEN e.body END AS body
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
WHERE e.id = ANY ($1::uuid[]) AND e.id BETWEEN $2::uuid AND $3::uuid
