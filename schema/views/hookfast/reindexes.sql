CREATE OR REPLACE VIEW hookfast.reindexes AS
SELECT
    s.name AS source,
    CASE WHEN r.ended_at IS NOT NULL THEN 'done' WHEN r.cursor_id IS NULL THEN 'waiting' ELSE 'running' END AS state,
    r.events_read,
    greatest(r.events_total, r.events_read) AS events_total,
    CASE WHEN r.cursor_id < 'ffffffff-ffff-ffff-ffff-ffffffffffff' THEN hookfast_data.event_id_time(r.cursor_id)
        END AS complete_since,
    r.requested_at,
    r.requested_by,
    r.ended_at
FROM hookfast_data.reindexes r JOIN hookfast_data.sources s ON s.id = r.source_id;
COMMENT ON VIEW hookfast.reindexes IS
    'The newest job of each source that indexes stored events again, from the newest to the oldest. New search '
    'fields find events since complete_since';
