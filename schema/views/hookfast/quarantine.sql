CREATE OR REPLACE VIEW hookfast.quarantine AS
SELECT
    q.id AS quarantine_id,
    s.name AS source,
    q.reason,
    q.count,
    q.first_at,
    q.last_at,
    q.topic,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN q.headers
        ELSE hookfast_data.visible_headers(q.headers) END AS headers,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN q.body END AS body,
    coalesce(q.whole_bytes, octet_length(q.body))::integer AS bytes,
    q.requested_action,
    q.requested_by,
    q.last_result,
    q.responded_ok,
    q.whole_bytes IS NOT NULL AS is_excerpt,
    encode(q.body_sha256, 'hex') AS whole_sha256
FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id;
COMMENT ON VIEW hookfast.quarantine IS
    'Requests that failed verification. Identical requests are one row with a count. Only operators see body. Use '
    'hookfast.reverify_quarantined, hookfast.approve_quarantined and hookfast.discard_quarantined on them';
