CREATE OR REPLACE FUNCTION hookfast_data.airalo_schedule_check(expected bigint, pause interval) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- The checks become less frequent and stop after two weeks: then only a person can find out.
    UPDATE hookfast_data.airalo_expected e SET checks = e.checks + 1,
        check_at = CASE WHEN e.expected_by > clock_timestamp() - interval '14 days'
            THEN clock_timestamp() + least(pause * power(2, least(e.checks, 20)), interval '6 hours')
            ELSE 'infinity' END
    WHERE e.id = airalo_schedule_check.expected AND e.check_at IS NOT NULL
$$;
COMMENT ON FUNCTION hookfast_data.airalo_schedule_check IS
    'Schedules the next check of an expected order after a check has ended';
REVOKE ALL ON FUNCTION hookfast_data.airalo_schedule_check FROM PUBLIC;
