-- One reader runs at a time, and none during an erasure: search terms must not be written after it. The locks are held
-- until the caller's transaction ends, which also moves the cursor.
CREATE OR REPLACE FUNCTION hookfast_data.next_events(most bigint, most_bytes bigint, longest_body integer)
    RETURNS TABLE (id uuid, search_fields text[], body bytea)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    since uuid;
    bound uuid;
BEGIN
    SELECT d.upto INTO since FROM hookfast_data.event_cursors d WHERE d.reader = 'terms'
        FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR NOT hookfast_data.try_lock_history_shared() THEN
        RETURN;
    END IF;
    bound := hookfast_data.committed_up_to();
    RETURN QUERY
    SELECT n.id, n.fields, n.body
    FROM (
        SELECT e.id, s.search_fields AS fields, b.body,
            sum(octet_length(b.body)) OVER (ORDER BY e.id) - octet_length(b.body) AS before
        FROM (SELECT e.id, e.source_id, e.body FROM hookfast_data.events e
            WHERE e.id > since AND e.id < bound ORDER BY e.id LIMIT most) e
        JOIN hookfast_data.sources s ON s.id = e.source_id
        CROSS JOIN LATERAL (SELECT CASE WHEN s.search_fields = '{}' THEN ''
            WHEN octet_length(e.body) <= longest_body THEN e.body END AS body) b) n
    WHERE coalesce(n.before, 0) <= most_bytes ORDER BY n.id;
END $$;
COMMENT ON FUNCTION hookfast_data.next_events IS
    'The next events to index, bounded in number and bytes; none if another reader is running. The body is null if '
    'it exceeds the limit of one body';
REVOKE ALL ON FUNCTION hookfast_data.next_events FROM PUBLIC;
