CREATE OR REPLACE FUNCTION hookfast_data.roll_up_counts() RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH deleted AS (DELETE FROM hookfast_data.pending_counts RETURNING subject, counter, value),
    added AS (
        INSERT INTO hookfast_data.rollups AS r (minute, subject, counter, value)
        SELECT date_trunc('minute', clock_timestamp()), d.subject, d.counter, sum(d.value) FROM deleted d GROUP BY 2, 3
            ORDER BY 2, 3
        ON CONFLICT (minute, subject, counter) DO UPDATE SET value = r.value + excluded.value
    )
    SELECT count(*) FROM deleted
$$;
COMMENT ON FUNCTION hookfast_data.roll_up_counts IS
    'Adds the counts of SQL clients to the rollups; returns how many rows it added';
REVOKE ALL ON FUNCTION hookfast_data.roll_up_counts FROM PUBLIC;
