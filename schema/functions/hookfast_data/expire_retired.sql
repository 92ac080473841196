-- Runs before the retained events of the day are counted. From then on a pending delivery retains its event for any
-- handler, so that a handler whose retirement ends meanwhile keeps no deliveries of purged events.
CREATE OR REPLACE FUNCTION hookfast_data.expire_retired(lower uuid, upper uuid) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    expired bigint;
BEGIN
    PERFORM FROM hookfast_data.handlers h WHERE h.retired_at IS NOT NULL LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM hookfast_data.outbox o
    WHERE o.event_id >= expire_retired.lower AND o.event_id < expire_retired.upper AND o.lease_id IS NULL
        AND o.handler_id IN (SELECT h.id FROM hookfast_data.handlers h WHERE h.retired_at IS NOT NULL)
        AND o.event_id NOT IN (SELECT s.event_id
            FROM hookfast_data.retained_events(expire_retired.lower, expire_retired.upper, false) s);
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END $$;
COMMENT ON FUNCTION hookfast_data.expire_retired IS
    'Removes pending deliveries of retired handlers if nothing else retains their events; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.expire_retired FROM PUBLIC;
