-- hookfast: event body
-- A long body, or null if the handler's payload filter rejects it.
-- $1 the event, $2 the filter, or null
SELECT CASE WHEN $2::text IS NULL OR hookfast_data.payload_matches(e.body, $2::text::jsonpath) THEN e.body END AS body
FROM hookfast_data.events e WHERE e.id = $1::uuid
