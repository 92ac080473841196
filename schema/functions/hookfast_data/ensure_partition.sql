-- Processes create the partitions two weeks ahead. If no process has run for that long, storing an event creates the
-- partition of its day. Only other transactions that store an event meanwhile wait until that transaction ends. The
-- next day's partition is created too, since later events of this transaction may belong to it.
CREATE OR REPLACE FUNCTION hookfast_data.ensure_partition(event uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (hookfast_data.event_id_time(ensure_partition.event) AT TIME ZONE 'UTC')::date;
    suffix text := to_char(today, '_YYYYMMDD');
    missing record;
BEGIN
    IF pg_partition_root(to_regclass('hookfast_data.events' || suffix)) IS NOT NULL
        AND pg_partition_root(to_regclass('hookfast_data.search_terms' || suffix)) IS NOT NULL THEN
        RETURN;
    END IF;
    BEGIN
        FOR missing IN SELECT t.parent, d.day
            FROM unnest(ARRAY[today, today + 1]) AS d (day),
                unnest(ARRAY['attempts', 'events', 'search_terms']) AS t (parent)
            ORDER BY d.day, t.parent
        LOOP
            PERFORM hookfast_data.create_partition(missing.parent, missing.parent || to_char(missing.day, '_YYYYMMDD'),
                hookfast_data.event_id_at(missing.day::timestamp AT TIME ZONE 'UTC'),
                hookfast_data.event_id_at((missing.day + 1)::timestamp AT TIME ZONE 'UTC'));
        END LOOP;
    EXCEPTION WHEN object_in_use OR insufficient_privilege THEN
        RAISE 'there is no partition for the events of %, and it cannot be created here: %; nothing was stored',
            today, SQLERRM
            USING ERRCODE = '55000',
                HINT = 'Run `hookfast migrate`, or start a process: each creates the partitions of two weeks.';
    END;
END $$;
COMMENT ON FUNCTION hookfast_data.ensure_partition IS 'Creates the partitions of an event''s day if they are missing';
REVOKE ALL ON FUNCTION hookfast_data.ensure_partition FROM PUBLIC;
