CREATE OR REPLACE VIEW hookfast.failures AS
SELECT
    f.handler,
    f.error_kind,
    count(*) AS count,
    min(f.finished_at) AS first_at,
    max(f.finished_at) AS last_at,
    (array_agg(f.event_id ORDER BY f.finished_at DESC))[1] AS sample_event_id,
    (array_agg(f.error ORDER BY f.finished_at DESC))[1] AS sample_error
FROM hookfast.attempts f
WHERE f.outcome IN ('retry', 'dead', 'lost') AND f.finished_at > statement_timestamp() - interval '1 day'
-- A handler's own errors are distinguished by their first words, as far as the reader may see them.
GROUP BY f.handler, f.error_kind,
    CASE WHEN f.error_kind = 'handler' THEN left(split_part(f.error, ':', 1), 60) END;
COMMENT ON VIEW hookfast.failures IS
    'The failed attempts of the last 24 hours by handler and kind of error: count, first, last, and the newest as a '
    'sample';
