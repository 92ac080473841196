-- The net, and what a change of ordered_by leaves behind.
CREATE OR REPLACE FUNCTION hookfast_data.wake_all(handler smallint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ordered boolean := (SELECT h.ordered_by IS NOT NULL FROM hookfast_data.handlers h WHERE h.id = wake_all.handler);
    woken bigint;
BEGIN
    IF ordered THEN
        UPDATE hookfast_data.outbox o SET ordering_key = '', due_at = NULL
        WHERE o.handler_id = wake_all.handler AND o.ordering_key IS NULL AND o.locked_by IS NULL;
        RETURN hookfast_data.wake(wake_all.handler, ARRAY(
            SELECT DISTINCT o.ordering_key FROM hookfast_data.outbox o
            WHERE o.handler_id = wake_all.handler AND o.due_at = 'infinity' AND o.ordering_key <> ''));
    END IF;
    UPDATE hookfast_data.outbox o SET due_at = clock_timestamp()
    WHERE o.handler_id = wake_all.handler AND o.due_at = 'infinity';
    GET DIAGNOSTICS woken = ROW_COUNT;
    RETURN woken;
END $$;
COMMENT ON FUNCTION hookfast_data.wake_all IS
    'Wakes every key of a handler that waits for nothing; also puts in order what came before the handler was '
    'ordered, and frees what waits where it is ordered no more';
REVOKE ALL ON FUNCTION hookfast_data.wake_all FROM PUBLIC;
