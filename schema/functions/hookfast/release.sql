CREATE OR REPLACE FUNCTION hookfast.release(quarantine_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(release.why, '') = '' THEN
        RAISE 'a release has to say why: it takes an unverified request for genuine; nothing was changed'
            USING ERRCODE = '22023';
    END IF;
    PERFORM FROM hookfast_data.quarantine q WHERE q.id = release.quarantine_id AND q.whole_bytes IS NOT NULL FOR UPDATE;
    IF FOUND THEN
        RAISE 'of quarantined request % only the beginning was kept; nothing was changed', release.quarantine_id
            USING ERRCODE = 'HF006', HINT = 'It was answered 401: have the sender send it again.';
    END IF;
    UPDATE hookfast_data.quarantine q SET asked = 'release', asked_by = session_user, answer = NULL
        WHERE q.id = release.quarantine_id;
    IF NOT FOUND THEN
        RAISE 'no quarantined request has the id %; nothing was changed', release.quarantine_id
            USING ERRCODE = 'HF004', HINT = 'They are in hookfast.quarantine.';
    END IF;
    PERFORM hookfast_data.notify('hookfast_quarantine', '');
    PERFORM hookfast_data.log('quarantine.release', release.quarantine_id::text,
        jsonb_build_object('why', release.why));
END $$;
COMMENT ON FUNCTION hookfast.release IS
    'Takes a quarantined request for genuine on your word, without verifying it: it becomes an event, verified '
    'by operator:NAME';
REVOKE ALL ON FUNCTION hookfast.release FROM PUBLIC;
