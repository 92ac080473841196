CREATE OR REPLACE FUNCTION hookfast_data.request_reindex(of_source smallint) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO hookfast_data.reindexes (source_id, requested_by) VALUES (of_source, hookfast_data.caller())
    ON CONFLICT (source_id) DO UPDATE SET cursor_id = NULL, events_read = 0, events_total = NULL,
        requested_at = clock_timestamp(), requested_by = excluded.requested_by, ended_at = NULL
$$;
COMMENT ON FUNCTION hookfast_data.request_reindex IS
    'Requests that the stored events of a source are indexed again, from the newest to the oldest; a running job '
    'starts over';
REVOKE ALL ON FUNCTION hookfast_data.request_reindex FROM PUBLIC;
