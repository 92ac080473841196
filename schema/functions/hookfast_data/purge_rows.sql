-- Purges the other classes in batches, so that no statement is long. Each batch begins where the previous one ended:
-- deleted rows stay in the index as long as a snapshot may need them, and would have to be passed again.
CREATE OR REPLACE FUNCTION hookfast_data.purge_rows(class text, most bigint, since timestamptz)
    RETURNS TABLE (purged bigint, upto timestamptz)
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    before timestamptz := (SELECT clock_timestamp() - r.keep FROM hookfast_data.retention r
        WHERE r.class = purge_rows.class);
BEGIN
    IF before IS NULL THEN
        purged := 0;
    ELSIF purge_rows.class = 'keys' THEN
        WITH old AS MATERIALIZED (
            SELECT x.source_id, x.key FROM hookfast_data.idempotency_keys x
            WHERE x.expires_at >= since AND x.expires_at < before
            ORDER BY x.expires_at LIMIT most FOR UPDATE SKIP LOCKED
        ),
        deleted AS (
            DELETE FROM hookfast_data.idempotency_keys k USING old o
            WHERE k.source_id = o.source_id AND k.key = o.key RETURNING k.expires_at AS at
        )
        SELECT count(*), max(d.at) INTO purged, upto FROM deleted d;
    ELSIF purge_rows.class = 'dead_letters' THEN
        WITH old AS MATERIALIZED (
            SELECT x.delivery_id FROM hookfast_data.dead_letters x
            WHERE x.died_at >= since AND x.died_at < before
                AND NOT EXISTS (SELECT FROM hookfast_data.retention_holds h WHERE h.event_id = x.event_id)
            ORDER BY x.died_at LIMIT most FOR UPDATE SKIP LOCKED
        ),
        deleted AS (
            DELETE FROM hookfast_data.dead_letters d USING old o WHERE d.delivery_id = o.delivery_id
            RETURNING d.died_at AS at
        )
        SELECT count(*), max(d.at) INTO purged, upto FROM deleted d;
    ELSIF purge_rows.class = 'rollups' THEN
        WITH old AS MATERIALIZED (
            SELECT x.ctid AS tid FROM hookfast_data.rollups x WHERE x.minute >= since AND x.minute < before
            ORDER BY x.minute LIMIT most
        ),
        deleted AS (
            DELETE FROM hookfast_data.rollups r USING old o WHERE r.ctid = o.tid RETURNING r.minute AS at
        )
        SELECT count(*), max(d.at) INTO purged, upto FROM deleted d;
    ELSE
        RAISE 'invalid class %; nothing was purged', purge_rows.class;
    END IF;
    IF purged > 0 AND purge_rows.class = 'dead_letters' THEN
        PERFORM hookfast_data.log('retention.dead_letters', 'all', jsonb_build_object('dropped', purged));
    END IF;
    upto := coalesce(upto, since);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast_data.purge_rows IS
    'Purges a bounded number of old rows of a class, from a given time on; returns how many, and where the next '
    'batch begins';
REVOKE ALL ON FUNCTION hookfast_data.purge_rows FROM PUBLIC;
