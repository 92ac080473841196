CREATE OR REPLACE FUNCTION hookfast.postpone(delivery_id bigint, until timestamptz, why text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owed record;
BEGIN
    IF postpone.until IS NULL OR NOT isfinite(postpone.until) THEN
        RAISE 'a delivery is postponed to a time, not to %; nothing was changed', coalesce(postpone.until::text, 'null')
            USING ERRCODE = '22023';
    END IF;
    SELECT o.handler_id, o.locked_by, o.due_at, o.ordering_key INTO owed FROM hookfast_data.handlers h
    JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = postpone.delivery_id FOR UPDATE OF o;
    IF NOT FOUND OR owed.locked_by IS NOT NULL OR owed.due_at = 'infinity' OR owed.ordering_key = '' THEN
        RAISE 'delivery % %; nothing was changed', postpone.delivery_id, CASE WHEN NOT FOUND THEN 'is not owed'
            WHEN owed.locked_by IS NOT NULL THEN 'is running' ELSE 'waits for its key already' END
            USING ERRCODE = 'HF006',
                HINT = 'Its state is in hookfast.deliveries. Of an ordered handler, postpone the first of the key: the '
                'others wait for it.';
    END IF;
    PERFORM hookfast_data.check_not_retired(owed.handler_id);
    -- Never before this transaction, which is as far as workers look back.
    UPDATE hookfast_data.outbox o SET due_at = greatest(postpone.until, now())
        WHERE o.handler_id = owed.handler_id AND o.id = postpone.delivery_id;
    PERFORM hookfast_data.wake_workers();
    PERFORM hookfast_data.log('delivery.postponed', postpone.delivery_id::text,
        jsonb_build_object('until', postpone.until, 'why', postpone.why));
END $$;
COMMENT ON FUNCTION hookfast.postpone IS
    'Lets a delivery that is ready or retrying wait until a time; now() tries it at once';
REVOKE ALL ON FUNCTION hookfast.postpone FROM PUBLIC;
