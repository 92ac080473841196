-- Requests that failed verification, once more. Only a process that knows a source's secrets can verify, so these
-- functions ask, and the ingress answers within seconds: what passes is an event, and its row is gone.

CREATE FUNCTION hookfast.reverify(source text DEFAULT NULL, last_after timestamptz DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows bigint[];
BEGIN
    PERFORM FROM hookfast_data.sources s WHERE s.name = reverify.source OR reverify.source IS NULL;
    IF NOT FOUND THEN
        RAISE 'no source is named %; nothing was changed', reverify.source USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.source_health.';
    END IF;
    rows := ARRAY(SELECT q.id FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id
        WHERE (reverify.source IS NULL OR s.name = reverify.source) AND (reverify.last_after IS NULL OR q.last_at >= reverify.last_after)
            AND q.asked IS NULL ORDER BY q.id);
    matching := cardinality(rows);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
        SELECT q.quarantine_id, q.source, q.reason, q.count, q.first_at, q.bytes FROM hookfast.quarantine q WHERE q.quarantine_id = ANY (rows[:5]) ORDER BY 1) x);
    IF reverify.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, reverify.at_most);
        UPDATE hookfast_data.quarantine q SET asked = 'reverify', asked_by = session_user, answer = NULL WHERE q.id = ANY (rows) AND q.asked IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM pg_notify('hookfast_quarantine', '');
        PERFORM hookfast_data.log('quarantine.reverify', coalesce(reverify.source, 'all'), jsonb_build_object('count', changed, 'last_after', reverify.last_after));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.reverify IS 'Has quarantined requests verified again by the secrets of now, as of the time they came: each genuine one becomes an event, once; the others stay, with the reason in hookfast.quarantine.answer. Without at_most it asks for nothing, and says how many match';

CREATE FUNCTION hookfast.release(quarantine_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(release.why, '') = '' THEN
        RAISE 'a release has to say why: it takes an unverified request for genuine; nothing was changed' USING ERRCODE = '22023';
    END IF;
    UPDATE hookfast_data.quarantine q SET asked = 'release', asked_by = session_user, answer = NULL WHERE q.id = release.quarantine_id;
    IF NOT FOUND THEN
        RAISE 'no quarantined request has the id %; nothing was changed', release.quarantine_id USING ERRCODE = 'HF004', HINT = 'They are in hookfast.quarantine.';
    END IF;
    PERFORM pg_notify('hookfast_quarantine', '');
    PERFORM hookfast_data.log('quarantine.release', release.quarantine_id::text, jsonb_build_object('why', release.why));
END $$;
COMMENT ON FUNCTION hookfast.release IS 'Takes a quarantined request for genuine on your word, without verifying it: it becomes an event, verified by operator:NAME';

CREATE FUNCTION hookfast.discard_quarantined(
    source text DEFAULT NULL, reason text DEFAULT NULL, last_before timestamptz DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows bigint[] := ARRAY(SELECT q.id FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id
        WHERE (discard_quarantined.source IS NULL OR s.name = discard_quarantined.source)
            AND (discard_quarantined.reason IS NULL OR q.reason = discard_quarantined.reason)
            AND (discard_quarantined.last_before IS NULL OR q.last_at < discard_quarantined.last_before)
            -- What is still to be verified once more may be genuine.
            AND q.asked IS NULL ORDER BY q.id);
BEGIN
    matching := cardinality(rows);
    changed := 0;
    sample := (SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]') FROM (
        SELECT q.quarantine_id, q.source, q.reason, q.count, q.first_at, q.bytes FROM hookfast.quarantine q WHERE q.quarantine_id = ANY (rows[:5]) ORDER BY 1) x);
    IF discard_quarantined.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, discard_quarantined.at_most);
        DELETE FROM hookfast_data.quarantine q WHERE q.id = ANY (rows) AND q.asked IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        PERFORM hookfast_data.log('quarantine.discarded', coalesce(discard_quarantined.source, 'all'), jsonb_build_object('count', changed,
            'reason', discard_quarantined.reason, 'last_before', discard_quarantined.last_before, 'why', discard_quarantined.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.discard_quarantined IS 'Removes quarantined requests for good, which makes room; not those that are asked for and not answered yet. Without at_most it changes nothing, and says how many match';

COMMENT ON COLUMN hookfast_data.quarantine.reason IS 'missing_signature, malformed_signature, unsupported_signature, stale_signature or wrong_signature';

REVOKE ALL ON FUNCTION hookfast.reverify, hookfast.release, hookfast.discard_quarantined FROM PUBLIC;
