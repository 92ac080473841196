-- hookfast: review results
-- Records the results. An accepted request is an event now, and is deleted from the quarantine. A rejected one stays,
-- with the reason.
-- $1 ids, $2 accepted or rejected (null: still requested), $3 the verdict or the reason
WITH answers AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, became, word) WHERE t.became IS NOT NULL
),
accepted AS (
    DELETE FROM hookfast_data.quarantine q USING answers a WHERE q.id = a.id AND a.became = 'accepted'
    RETURNING q.source_id, q.requested_by, q.requested_action, a.word
),
rejected AS (
    UPDATE hookfast_data.quarantine q SET requested_action = NULL, requested_by = NULL, last_result = a.word
    FROM answers a, hookfast_data.quarantine old WHERE q.id = a.id AND a.became = 'rejected' AND old.id = q.id
    RETURNING q.source_id, old.requested_by, old.requested_action, 'rejected' AS word
)
INSERT INTO hookfast_data.audit_log (actor, action, target, details)
SELECT t.requested_by, 'quarantine.answered', s.name, jsonb_object_agg(t.word, t.count)
FROM (
    SELECT r.source_id, r.requested_by, r.word, count(*) AS count
    FROM (TABLE accepted UNION ALL TABLE rejected) r GROUP BY r.source_id, r.requested_by, r.word
) t JOIN hookfast_data.sources s ON s.id = t.source_id
GROUP BY t.requested_by, s.name
