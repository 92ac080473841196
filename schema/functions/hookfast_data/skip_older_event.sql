CREATE OR REPLACE FUNCTION hookfast_data.skip_older_event(why text) RETURNS uuid
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    job hookfast_data.reindexes;
    event uuid;
BEGIN
    SELECT r.* INTO job FROM hookfast_data.reindexes r WHERE r.ended_at IS NULL
        ORDER BY r.requested_at, r.source_id LIMIT 1 FOR UPDATE;
    SELECT e.id INTO event FROM hookfast_data.events e
        WHERE e.id < coalesce(job.cursor_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY e.id DESC LIMIT 1;
    IF job.source_id IS NULL OR event IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM hookfast_data.mark_not_indexed(event, why);
    UPDATE hookfast_data.reindexes r SET cursor_id = event, events_read = r.events_read + 1
        WHERE r.source_id = job.source_id;
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast_data.skip_older_event IS
    'Skips the next stored event without indexing it again; returns the event';
REVOKE ALL ON FUNCTION hookfast_data.skip_older_event FROM PUBLIC;
