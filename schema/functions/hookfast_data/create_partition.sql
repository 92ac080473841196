-- Creates the table first and then attaches it, because ATTACH blocks no reader and no writer. CREATE … PARTITION OF
-- would make all ingest wait behind the oldest reader. Whether the table is attached is read from the system caches,
-- which show what another transaction has just committed at every isolation level. It is not enough that the table
-- exists: an administrator may have detached it. The table belongs to the owner of this function and not to the
-- caller, because functions that run with the owner's rights use it.
CREATE OR REPLACE FUNCTION hookfast_data.create_partition(parent text, partition text, lower uuid, upper uuid)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET client_min_messages = error SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hookfast_data.lock('partitions');
    IF pg_partition_root(to_regclass('hookfast_data.' || partition)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE IF NOT EXISTS hookfast_data.%I (LIKE hookfast_data.%I INCLUDING ALL)',
        partition, parent);
    EXECUTE format('ALTER TABLE hookfast_data.%I ATTACH PARTITION hookfast_data.%I FOR VALUES FROM (%L) TO (%L)',
        parent, partition, lower, upper);
END $$;
COMMENT ON FUNCTION hookfast_data.create_partition IS
    'Creates and attaches a partition unless it is attached, in one transaction at a time';
REVOKE ALL ON FUNCTION hookfast_data.create_partition FROM PUBLIC;
