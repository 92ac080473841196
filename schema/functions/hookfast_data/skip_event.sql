-- The reader has failed only at this event. It must not block the others.
CREATE OR REPLACE FUNCTION hookfast_data.skip_event(why text) RETURNS uuid
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    since uuid;
    bound uuid;
    event uuid;
BEGIN
    SELECT d.upto INTO since FROM hookfast_data.event_cursors d WHERE d.reader = 'terms' FOR UPDATE;
    bound := hookfast_data.committed_up_to();
    SELECT e.id INTO event FROM hookfast_data.events e WHERE e.id > since AND e.id < bound ORDER BY e.id LIMIT 1;
    IF event IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM hookfast_data.mark_not_indexed(event, why);
    UPDATE hookfast_data.event_cursors d SET upto = event WHERE d.reader = 'terms';
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast_data.skip_event IS 'Skips the next event without indexing it; returns the event';
REVOKE ALL ON FUNCTION hookfast_data.skip_event FROM PUBLIC;
