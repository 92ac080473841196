-- What else leaves: in batches, so that no statement is long. Answers with how many rows went.
CREATE OR REPLACE FUNCTION hookfast_data.leave_rows(class text, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    keeps interval := (SELECT r.keep FROM hookfast_data.retention r WHERE r.class = leave_rows.class);
    went bigint := 0;
BEGIN
    IF keeps IS NULL THEN
        RETURN 0;
    END IF;
    IF leave_rows.class = 'keys' THEN
        DELETE FROM hookfast_data.idempotency_keys k USING (
            SELECT x.source_id, x.key FROM hookfast_data.idempotency_keys x
            WHERE x.expires_at < clock_timestamp() - keeps ORDER BY x.expires_at LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE k.source_id = old.source_id AND k.key = old.key;
    ELSIF leave_rows.class = 'dead_letters' THEN
        DELETE FROM hookfast_data.dead_letters d USING (
            SELECT x.delivery_id FROM hookfast_data.dead_letters x
            WHERE x.died_at < clock_timestamp() - keeps
                AND NOT EXISTS (SELECT FROM hookfast_data.holds h WHERE h.event_id = x.event_id)
            ORDER BY x.died_at LIMIT most FOR UPDATE SKIP LOCKED
        ) old WHERE d.delivery_id = old.delivery_id;
    ELSIF leave_rows.class = 'rollups' THEN
        DELETE FROM hookfast_data.rollups r USING (
            SELECT x.ctid AS tid FROM hookfast_data.rollups x WHERE x.minute < clock_timestamp() - keeps
                ORDER BY x.minute LIMIT most
        ) old WHERE r.ctid = old.tid;
    ELSE
        RAISE 'no rows leave as %', leave_rows.class;
    END IF;
    GET DIAGNOSTICS went = ROW_COUNT;
    IF went > 0 AND leave_rows.class = 'dead_letters' THEN
        PERFORM hookfast_data.log('retention.dead_letters', 'all', jsonb_build_object('dropped', went));
    END IF;
    RETURN went;
END $$;
COMMENT ON FUNCTION hookfast_data.leave_rows IS 'Takes up to so many old rows of a class away; answers with how many';
REVOKE ALL ON FUNCTION hookfast_data.leave_rows FROM PUBLIC;
