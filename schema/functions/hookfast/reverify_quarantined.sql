-- Only a process that has a source's secrets can verify. This function requests it, and an ingress does it within
-- seconds.
CREATE OR REPLACE FUNCTION hookfast.reverify_quarantined(source text DEFAULT NULL, last_after timestamptz DEFAULT NULL,
    why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    rows bigint[];
    excerpts bigint[];
BEGIN
    PERFORM FROM hookfast_data.sources s WHERE s.name = reverify_quarantined.source
        OR reverify_quarantined.source IS NULL;
    IF NOT FOUND THEN
        RAISE 'no source is named %; nothing was changed', reverify_quarantined.source
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.source_health.';
    END IF;
    SELECT coalesce(array_agg(q.id ORDER BY q.id) FILTER (WHERE q.whole_bytes IS NULL), '{}'),
            array_agg(q.id) FILTER (WHERE q.whole_bytes IS NOT NULL)
        INTO rows, excerpts
        FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id
        WHERE (reverify_quarantined.source IS NULL OR s.name = reverify_quarantined.source)
            AND (reverify_quarantined.last_after IS NULL OR q.last_at >= reverify_quarantined.last_after)
            AND q.requested_action IS NULL;
    matching := cardinality(rows);
    changed := 0;
    sample_ids := rows[:5];
    IF reverify_quarantined.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(reverify_quarantined.why);
        PERFORM hookfast_data.check_at_most(matching, reverify_quarantined.at_most);
        UPDATE hookfast_data.quarantine q SET requested_action = 'reverify', requested_by = hookfast_data.caller(),
            last_result = NULL
            WHERE q.id = ANY (rows) AND q.requested_action IS NULL AND q.whole_bytes IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        UPDATE hookfast_data.quarantine q SET last_result = 'excerpt'
            WHERE q.id = ANY (excerpts) AND q.whole_bytes IS NOT NULL;
        PERFORM hookfast_data.notify('hookfast_quarantine', '');
        PERFORM hookfast_data.log('quarantine.reverify_requested', coalesce(reverify_quarantined.source, 'all'),
            jsonb_build_object('count', changed, 'last_after', reverify_quarantined.last_after,
                'why', reverify_quarantined.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.reverify_quarantined IS
    'Requests that quarantined requests are verified again with the current secrets, as of the time they arrived. '
    'Each genuine one becomes an event, once. The others stay, with the reason in hookfast.quarantine.last_result. '
    'Excerpts of large bodies cannot be verified and are not counted. Without at_most it requests nothing and '
    'returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.reverify_quarantined FROM PUBLIC;
