CREATE OR REPLACE FUNCTION hookfast_data.typical_count(subject text, since timestamptz,
    until timestamptz) RETURNS numeric
    LANGUAGE sql STABLE
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY hookfast_data.count_between(subject, '{stored,conflict}',
                since - d * interval '1 day', until - d * interval '1 day'))::numeric(20, 1)
        FROM generate_series(1, 14) d
        WHERE since - d * interval '1 day' >= (SELECT min(r.minute) FROM hookfast_data.rollups r
            WHERE r.subject = typical_count.subject AND r.counter = 'stored')
        HAVING count(*) >= 3);
COMMENT ON FUNCTION hookfast_data.typical_count IS
    'The usual number of events of a source between two times of the day; null if it has been known for less than '
    'three days';
REVOKE ALL ON FUNCTION hookfast_data.typical_count FROM PUBLIC;
