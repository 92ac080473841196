CREATE OR REPLACE FUNCTION hookfast.discard_quarantined(
    source text DEFAULT NULL, reason text DEFAULT NULL, last_before timestamptz DEFAULT NULL, why text DEFAULT NULL,
        at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    rows bigint[] := ARRAY(SELECT q.id FROM hookfast_data.quarantine q
        JOIN hookfast_data.sources s ON s.id = q.source_id
        WHERE (discard_quarantined.source IS NULL OR s.name = discard_quarantined.source)
            AND (discard_quarantined.reason IS NULL OR q.reason = discard_quarantined.reason)
            AND (discard_quarantined.last_before IS NULL OR q.last_at < discard_quarantined.last_before)
            -- A request that is still to be verified again may be genuine.
            AND q.requested_action IS NULL ORDER BY q.id);
BEGIN
    matching := cardinality(rows);
    changed := 0;
    sample_ids := rows[:5];
    IF discard_quarantined.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(discard_quarantined.why);
        PERFORM hookfast_data.check_at_most(matching, discard_quarantined.at_most);
        DELETE FROM hookfast_data.quarantine q WHERE q.id = ANY (rows) AND q.requested_action IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM hookfast_data.log('quarantine.discarded', coalesce(discard_quarantined.source, 'all'),
            jsonb_build_object('count', changed,
            'reason', discard_quarantined.reason, 'last_before', discard_quarantined.last_before, 'why',
                discard_quarantined.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.discard_quarantined IS
    'Deletes quarantined requests, which makes room. It keeps requests with a requested action that is not done yet. '
    'Without at_most it changes nothing and returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.discard_quarantined FROM PUBLIC;
