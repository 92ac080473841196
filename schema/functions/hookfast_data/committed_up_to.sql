-- An event that is not committed yet may have a smaller id than a committed one. So the result is ten seconds before
-- the oldest transaction of Hookfast's processes that may still store an event. None of these stays open for 35
-- seconds, so older transactions, or other sessions with such a name, delay nothing. (Events that an application or a
-- handler enqueues get their search terms and alerts in their own transaction.)
CREATE OR REPLACE FUNCTION hookfast_data.committed_up_to() RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT hookfast_data.event_id_at(least(clock_timestamp(),
        min(greatest(a.xact_start, clock_timestamp() - interval '35 seconds'))) - interval '10 seconds')
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL AND a.application_name LIKE 'hookfast%'
        AND a.application_name <> 'hookfast transaction' AND a.pid <> pg_backend_pid()
$$;
COMMENT ON FUNCTION hookfast_data.committed_up_to IS
    'A bound on event ids: every event of a process with a smaller id is committed';
REVOKE ALL ON FUNCTION hookfast_data.committed_up_to FROM PUBLIC;
