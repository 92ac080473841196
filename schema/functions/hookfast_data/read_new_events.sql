-- Reads what was stored since the last time, for search terms and news. An event that is not committed yet may have a
-- smaller id than one that is: so it stops ten seconds before the oldest transaction of ours that may still store one.
-- (What is enqueued is read in its own transaction.)
CREATE OR REPLACE FUNCTION hookfast_data.read_new_events(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    since uuid;
    bound uuid;
    batch record;
BEGIN
    SELECT d.upto INTO since FROM hookfast_data.digest d FOR UPDATE SKIP LOCKED;
    -- Not while somebody erases: what finds an event must not be written after it was erased.
    IF NOT FOUND OR NOT hookfast_data.try_share_history() THEN
        RETURN 0;
    END IF;
    SELECT hookfast_data.id_at(least(clock_timestamp(),
        min(coalesce(a.xact_start, clock_timestamp() - interval '35 seconds'))) - interval '10 seconds')
    INTO bound FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_xid IS NOT NULL AND a.application_name LIKE 'hookfast%'
        AND a.pid <> pg_backend_pid();
    WITH read AS MATERIALIZED (
        SELECT e.id, e.body, e.source_id, e.conflicts_with FROM hookfast_data.events e
        WHERE e.id > since AND e.id < bound ORDER BY e.id LIMIT most
    ),
    termed AS (
        INSERT INTO hookfast_data.search_terms (term, event_id)
        SELECT t, r.id FROM read r JOIN hookfast_data.sources s ON s.id = r.source_id AND s.search_fields <> '{}'
        CROSS JOIN LATERAL hookfast_data.terms(r.body, s.search_fields) t
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) AS seen, (SELECT r.id FROM read r ORDER BY r.id DESC LIMIT 1) AS last,
        ARRAY(SELECT r.id FROM read r WHERE r.conflicts_with IS NOT NULL) AS conflicts INTO batch FROM read;
    IF batch.seen > 0 THEN
        PERFORM hookfast_data.news_of_conflict(c) FROM unnest(batch.conflicts) c;
        UPDATE hookfast_data.digest d SET upto = batch.last;
    END IF;
    RETURN batch.seen;
END $$;
COMMENT ON FUNCTION hookfast_data.read_new_events IS
    'Reads new events for search terms and conflicts, up to so many; answers with how many it read';
REVOKE ALL ON FUNCTION hookfast_data.read_new_events FROM PUBLIC;
