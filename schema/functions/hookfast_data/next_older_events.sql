-- Reads from the newest to the oldest, by the cursor of one source's job. Events of other sources count as read, and
-- their bodies are not read. Events that are committed after the first step are not missed: the indexer of new events
-- has not reached them yet, and reads them with the current fields.
CREATE OR REPLACE FUNCTION hookfast_data.next_older_events(most bigint, most_bytes bigint, longest_body integer)
    RETURNS TABLE (id uuid, search_fields text[], body bytea, source_id smallint)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    job hookfast_data.reindexes;
BEGIN
    SELECT r.* INTO job FROM hookfast_data.reindexes r WHERE r.ended_at IS NULL
        ORDER BY r.requested_at, r.source_id LIMIT 1 FOR UPDATE SKIP LOCKED;
    -- Not during an erasure: search terms must not be written after it.
    IF job.source_id IS NULL OR NOT hookfast_data.try_lock_history_shared() THEN
        RETURN;
    END IF;
    IF job.cursor_id IS NULL THEN
        job.cursor_id := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
        UPDATE hookfast_data.reindexes r SET cursor_id = job.cursor_id, events_total =
            (SELECT coalesce(sum(greatest(c.reltuples, 0)), 0) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'hookfast_data.events'::regclass)
        WHERE r.source_id = job.source_id;
    END IF;
    RETURN QUERY
    SELECT n.id, n.fields, n.body, job.source_id
    FROM (
        SELECT e.id, s.search_fields AS fields, b.body,
            sum(octet_length(b.body)) OVER (ORDER BY e.id DESC) - octet_length(b.body) AS before
        FROM (SELECT e.id, e.source_id, e.body FROM hookfast_data.events e
            WHERE e.id < job.cursor_id ORDER BY e.id DESC LIMIT most) e
        JOIN hookfast_data.sources s ON s.id = e.source_id
        CROSS JOIN LATERAL (SELECT CASE WHEN s.id <> job.source_id OR s.search_fields = '{}' THEN ''
            WHEN octet_length(e.body) <= longest_body THEN e.body END AS body) b) n
    WHERE coalesce(n.before, 0) <= most_bytes ORDER BY n.id DESC;
    IF NOT FOUND THEN
        UPDATE hookfast_data.reindexes r SET ended_at = clock_timestamp() WHERE r.source_id = job.source_id;
        PERFORM hookfast_data.log('source.reindexed', s.name, jsonb_build_object('events', job.events_read))
            FROM hookfast_data.sources s WHERE s.id = job.source_id;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.next_older_events IS
    'The next stored events to index again, as in next_events; none if there is no job or it has ended';
REVOKE ALL ON FUNCTION hookfast_data.next_older_events FROM PUBLIC;
