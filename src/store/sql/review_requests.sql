-- hookfast: review requests
-- Locks the quarantined requests that have a requested action.
-- $1 sources, $2 maximum of rows
SELECT q.id, q.source_id, q.requested_action = 'approve' AS released, q.requested_by,
    floor(extract(epoch FROM q.first_at) * 1000000)::bigint AS first_at, q.topic, q.headers, q.body
FROM hookfast_data.quarantine q
WHERE q.requested_action IS NOT NULL AND q.source_id = ANY ($1::smallint[])
ORDER BY q.id LIMIT $2::bigint FOR UPDATE SKIP LOCKED
