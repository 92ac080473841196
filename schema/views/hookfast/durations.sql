-- Computed from counts by upper bound, so that the cost does not depend on the number of attempts.
CREATE OR REPLACE VIEW hookfast.durations AS
WITH counted AS (
    SELECT
        substr(r.subject, 9) AS handler,
        substr(r.counter, 9)::integer AS bound,
        sum(r.value) AS hour,
        coalesce(sum(r.value) FILTER (WHERE r.minute > statement_timestamp() - interval '5 minutes'), 0) AS five
    FROM hookfast_data.rollups r
    WHERE r.subject LIKE 'handler:%' AND r.counter LIKE 'took\_le\_%'
        AND r.minute > statement_timestamp() - interval '1 hour'
    GROUP BY r.subject, r.counter
),
summed AS (
    SELECT
        c.handler,
        c.bound,
        sum(c.hour) OVER upto AS hour,
        sum(c.hour) OVER everything AS of_hour,
        sum(c.five) OVER upto AS five,
        sum(c.five) OVER everything AS of_five,
        sum(c.hour - c.five) OVER upto AS before,
        sum(c.hour - c.five) OVER everything AS of_before
    FROM counted c
    WINDOW upto AS (PARTITION BY c.handler ORDER BY c.bound), everything AS (PARTITION BY c.handler)
)
SELECT
    s.handler,
    max(s.of_hour)::bigint AS attempts_last_hour,
    min(s.bound) FILTER (WHERE s.hour >= 0.5 * s.of_hour) AS median_ms_last_hour,
    min(s.bound) FILTER (WHERE s.hour >= 0.95 * s.of_hour) AS p95_ms_last_hour,
    max(s.of_five)::bigint AS attempts_last_5_minutes,
    min(s.bound) FILTER (WHERE s.of_five > 0 AND s.five >= 0.5 * s.of_five) AS median_ms_last_5_minutes,
    min(s.bound) FILTER (WHERE s.of_five > 0 AND s.five >= 0.95 * s.of_five) AS p95_ms_last_5_minutes,
    max(s.of_before)::bigint AS attempts_before,
    min(s.bound) FILTER (WHERE s.of_before > 0 AND s.before >= 0.95 * s.of_before) AS p95_ms_before
FROM summed s GROUP BY s.handler;
COMMENT ON VIEW hookfast.durations IS
    'How long the attempts of each handler took: the median and the 95th percentile in milliseconds, rounded up to '
    '1, 2 or 5 times a power of ten';
