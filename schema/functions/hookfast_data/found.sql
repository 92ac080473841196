CREATE OR REPLACE FUNCTION hookfast_data.found(term text, unmasked boolean) RETURNS TABLE (event_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    SET plan_cache_mode = force_custom_plan SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    ours uuid[] := '{}';
    unread bigint;
BEGIN
    IF found.term ~* '^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$' THEN
        ours := ARRAY(SELECT e.id FROM hookfast_data.events e WHERE e.id = found.term::uuid);
    END IF;
    ours := ours || ARRAY(
        SELECT k.event_id FROM hookfast_data.sources s JOIN hookfast_data.idempotency_keys k ON k.source_id = s.id
            AND k.key = found.term
        UNION ALL
        SELECT t.event_id FROM hookfast_data.search_terms t WHERE t.term = left(found.term, 200));
    -- What came in the last seconds.
    ours := ours || ARRAY(
        SELECT e.id FROM (SELECT n.id, n.source_id, n.body FROM hookfast_data.events n
            WHERE n.id > (SELECT d.upto FROM hookfast_data.digest d) ORDER BY n.id DESC LIMIT 5000) e
        JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE EXISTS (SELECT FROM hookfast_data.terms(e.body, s.search_fields) t WHERE t = left(found.term, 200)));
    SELECT count(*) INTO unread FROM (SELECT FROM hookfast_data.events n
        WHERE n.id > (SELECT d.upto FROM hookfast_data.digest d) LIMIT 5001) n;
    IF unread > 5000 THEN
        RAISE WARNING 'more than 5000 new events have not been read for what finds them; of these only the newest 5000 '
            'were searched';
    END IF;
    -- Or a reader could try whether a value is somebody's secret.
    IF NOT unmasked THEN
        ours := ARRAY(SELECT e.id FROM unnest(ours) o
            CROSS JOIN LATERAL (SELECT x.id, x.source_id, x.body FROM hookfast_data.events x WHERE x.id = o) e
            JOIN hookfast_data.sources s ON s.id = e.source_id
            WHERE e.id::text = lower(found.term)
                OR hookfast_data.shown_key(found.term, hookfast_data.as_jsonb(e.body), s.secret_fields) = found.term);
    END IF;
    -- And what conflicts with any of these.
    RETURN QUERY
    SELECT o FROM unnest(ours) o
    UNION
    SELECT k.event_id FROM unnest(ours) o
    CROSS JOIN LATERAL (SELECT e.source_id, e.idempotency_key FROM hookfast_data.events e WHERE e.id = o) e
    JOIN hookfast_data.idempotency_keys k ON k.source_id = e.source_id
        AND k.key >= e.idempotency_key || '#conflict:' AND k.key < e.idempotency_key || '#conflict;';
END $$;
COMMENT ON FUNCTION hookfast_data.found IS
    'The events that hookfast.find finds. No REVOKE: readers call it through that, and nothing of this schema by its '
    'name';
