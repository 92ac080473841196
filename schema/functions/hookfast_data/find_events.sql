-- Events that are not indexed, or not as a whole (the empty term marks these), are found by their bodies. A person who
-- searches gets an answer in time: only the newest unread events and some of their bodies are searched. With
-- `everything`, nothing is left out.
CREATE OR REPLACE FUNCTION hookfast_data.find_events(term text, everything boolean, unmasked boolean)
    RETURNS TABLE (event_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    SET plan_cache_mode = force_custom_plan SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    read_upto uuid := (SELECT d.upto FROM hookfast_data.event_cursors d WHERE d.reader = 'terms');
    ours uuid[] := '{}';
    unread record;
BEGIN
    IF find_events.term ~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$' THEN
        ours := ARRAY(SELECT e.id FROM hookfast_data.events e WHERE e.id = find_events.term::uuid);
    END IF;
    ours := ours || ARRAY(
        SELECT k.event_id FROM hookfast_data.sources s JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id
            AND k.key = find_events.term
        UNION ALL
        -- An event may conflict by the second key of the first event.
        SELECT k.event_id FROM hookfast_data.sources s JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id
            AND k.key >= find_events.term || '#conflict:' AND k.key < find_events.term || '#conflict;'
        UNION ALL
        SELECT t.event_id FROM hookfast_data.search_terms t WHERE t.term = left(find_events.term, 200)
            AND t.term <> '');
    WITH patterns AS MATERIALIZED (
        SELECT s.id, hookfast_data.term_pattern(s.search_fields, find_events.term) AS pattern
            FROM hookfast_data.sources s
    ),
    newest AS (
        SELECT n.id, n.source_id, n.body, sum(octet_length(n.body)) OVER (ORDER BY n.id DESC) AS bytes
        FROM (SELECT n.id, n.source_id, n.body FROM hookfast_data.events n
            WHERE n.id > read_upto ORDER BY n.id DESC LIMIT CASE WHEN everything THEN NULL ELSE 5001 END) n
    ),
    looked_at AS MATERIALIZED (
        SELECT n.id, row_number() OVER (ORDER BY n.id DESC) <= 5000 AND n.bytes <= 67108864 OR everything AS within,
            n.source_id, n.body FROM newest n
    )
    SELECT ARRAY(SELECT l.id FROM looked_at l JOIN patterns p ON p.id = l.source_id
            WHERE l.within AND p.pattern IS NOT NULL AND hookfast_data.body_matches(l.body, p.pattern)) AS ours,
        EXISTS (SELECT FROM looked_at l WHERE NOT l.within) AS more INTO unread;
    ours := ours || unread.ours;
    IF everything THEN
        ours := ours || ARRAY(
            SELECT e.id FROM (SELECT s.id, hookfast_data.term_pattern(s.search_fields, find_events.term) AS pattern
                FROM hookfast_data.sources s) p
            JOIN hookfast_data.events e ON e.source_id = p.id
            JOIN hookfast_data.search_terms t ON t.term = '' AND t.event_id = e.id
            WHERE hookfast_data.body_matches(e.body, p.pattern));
    ELSIF unread.more THEN
        RAISE WARNING 'many new events are not indexed yet; only the newest 5000 of them, of at most 64 MiB together, '
            'were searched';
    END IF;
    -- Otherwise a reader could test whether a value is a secret of an event.
    IF NOT unmasked THEN
        ours := ARRAY(SELECT e.id FROM unnest(ours) o
            CROSS JOIN LATERAL (SELECT x.id, x.source_id, x.body FROM hookfast_data.events x WHERE x.id = o) e
            JOIN hookfast_data.sources s ON s.id = e.source_id
            WHERE e.id::text = lower(find_events.term)
                OR hookfast_data.visible_key(find_events.term, hookfast_data.as_jsonb(e.body),
                s.secret_fields) = find_events.term);
    END IF;
    -- Adds the events that conflict with any of these.
    RETURN QUERY
    SELECT o FROM unnest(ours) o
    UNION
    SELECT e.id FROM hookfast_data.events e WHERE e.conflicts_with = ANY (ours)
    UNION
    SELECT k.event_id FROM unnest(ours) o
    CROSS JOIN LATERAL (SELECT e.source_id, e.idempotency_key FROM hookfast_data.events e WHERE e.id = o) e
    JOIN hookfast_data.idempotency_keys k ON k.source_id = e.source_id
        AND k.key >= e.idempotency_key || '#conflict:' AND k.key < e.idempotency_key || '#conflict;';
    IF NOT FOUND AND NOT everything AND EXISTS (SELECT FROM hookfast_data.search_terms t WHERE t.term = '') THEN
        RAISE WARNING 'no event was found, but some events are not completely indexed (more than 100 values, or a body '
            'of more than 1 MiB) and were not searched'
            USING HINT = 'hookfast.erase_all(term => ...) searches these too. Without at_most it changes nothing.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.find_events IS
    'Finds the events of a term and the events that conflict with them; with everything, events that are not indexed '
    'too, however long that takes';
-- No REVOKE: readers call it through hookfast.find, and cannot call functions of this schema by name.
