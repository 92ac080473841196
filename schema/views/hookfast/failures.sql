CREATE OR REPLACE VIEW hookfast.failures AS
SELECT
    f.handler,
    f.error_kind,
    f.count,
    f.first_at,
    f.last_at,
    f.newest[1] AS sample_event_id,
    f.sample_error,
    ARRAY(SELECT DISTINCT e.type FROM unnest(f.newest) n
        -- One at a time, so that only the event's partition is read.
        CROSS JOIN LATERAL (SELECT x.type FROM hookfast_data.events x WHERE x.id = n) e ORDER BY 1) AS types
FROM (
    SELECT
        a.handler,
        a.error_kind,
        count(*) AS count,
        min(a.finished_at) AS first_at,
        max(a.finished_at) AS last_at,
        (array_agg(a.event_id ORDER BY a.finished_at DESC))[1:20] AS newest,
        (array_agg(a.error ORDER BY a.finished_at DESC))[1] AS sample_error
    FROM hookfast.attempts a
    WHERE a.outcome IN ('retry', 'dead', 'lost') AND a.finished_at > statement_timestamp() - interval '1 day'
    -- A handler's own errors are distinguished by their first words, as far as the reader may see them.
    GROUP BY a.handler, a.error_kind,
        CASE WHEN a.error_kind = 'handler' THEN left(split_part(a.error, ':', 1), 60) END) f;
COMMENT ON VIEW hookfast.failures IS
    'The failed attempts of the last 24 hours by handler and kind of error: count, first, last, the newest as a '
    'sample, and the types of the newest 20';
