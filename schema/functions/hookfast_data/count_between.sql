-- What is usual is the median of the last 14 days at this time of the day; a silence is judged by the same: by how many
-- events there were in that span on those days, so that a night is no alarm.
CREATE OR REPLACE FUNCTION hookfast_data.count_between(subject text, counters text[], since timestamptz,
    until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT coalesce(sum(r.value), 0)::bigint FROM hookfast_data.rollups r
        WHERE r.subject = count_between.subject AND r.counter = ANY (counters) AND r.minute >= since
            AND r.minute < until);
COMMENT ON FUNCTION hookfast_data.count_between IS 'A sum of counters over a time';
REVOKE ALL ON FUNCTION hookfast_data.count_between FROM PUBLIC;
