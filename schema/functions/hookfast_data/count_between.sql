-- The usual number is the median of the last 14 days at this time of the day. Silence is judged in the same way, by the
-- number of events in that period on those days, so that a quiet night raises no alert.
CREATE OR REPLACE FUNCTION hookfast_data.count_between(subject text, counters text[], since timestamptz,
    until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT coalesce(sum(r.value), 0)::bigint FROM hookfast_data.rollups r
        WHERE r.subject = count_between.subject AND r.counter = ANY (counters) AND r.minute >= since
            AND r.minute < until);
COMMENT ON FUNCTION hookfast_data.count_between IS 'The sum of counters over a period';
REVOKE ALL ON FUNCTION hookfast_data.count_between FROM PUBLIC;
