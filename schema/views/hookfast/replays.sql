CREATE OR REPLACE VIEW hookfast.replays AS
SELECT
    r.id AS replay_id,
    h.name AS handler,
    r.state,
    r.replayed,
    r.matching,
    CASE WHEN r.state = 'done' THEN 100 ELSE least(99, 100 * r.replayed / greatest(r.matching, 1)) END AS percent,
    CASE WHEN r.state = 'running'
        THEN interval '1 second' * (greatest(r.matching - r.replayed, 0) / r.per_second) END AS min_remaining,
    r.per_second,
    r.source,
    r.type,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN r.payload WHEN r.payload IS NOT NULL
        THEN '***' END AS payload,
    r.new_webhook_id,
    r.requested_by,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN r.why ELSE '***' END AS why,
    r.requested_at,
    r.last_progress_at,
    r.ended_at
FROM hookfast_data.replays r JOIN hookfast_data.handlers h ON h.id = r.handler_id;
COMMENT ON VIEW hookfast.replays IS
    'Replays of many events with their progress. Control them with hookfast.pause_replay, resume_replay and '
    'cancel_replay';
