CREATE OR REPLACE FUNCTION hookfast.reschedule(delivery_id bigint, due_at timestamptz, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    pending record;
BEGIN
    PERFORM hookfast_data.require_reason(reschedule.why);
    IF reschedule.due_at IS NULL OR NOT isfinite(reschedule.due_at) THEN
        RAISE 'invalid due_at %: it must be a finite time; nothing was changed',
            coalesce(reschedule.due_at::text, 'null')
            USING ERRCODE = '22023';
    END IF;
    SELECT o.handler_id, o.lease_id, o.due_at, o.ordering_key INTO pending FROM hookfast_data.handlers h
    JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = reschedule.delivery_id FOR UPDATE OF o;
    IF NOT FOUND OR pending.lease_id IS NOT NULL OR pending.due_at = 'infinity' OR pending.ordering_key = '' THEN
        RAISE 'delivery % %; nothing was changed', reschedule.delivery_id, CASE WHEN NOT FOUND THEN 'is not pending'
            WHEN pending.lease_id IS NOT NULL THEN 'is running' ELSE 'already waits for its key' END
            USING ERRCODE = 'HF006',
                HINT =
                    'See its state in hookfast.deliveries. If the handler is ordered, reschedule the first delivery of '
                    'the key: the others wait for it.';
    END IF;
    PERFORM hookfast_data.check_not_retired(pending.handler_id);
    -- Never before this transaction began, since workers look back no further.
    UPDATE hookfast_data.outbox o SET due_at = greatest(reschedule.due_at, now())
        WHERE o.handler_id = pending.handler_id AND o.id = reschedule.delivery_id;
    PERFORM hookfast_data.wake_workers();
    PERFORM hookfast_data.log('delivery.rescheduled', reschedule.delivery_id::text,
        jsonb_build_object('due_at', reschedule.due_at, 'why', reschedule.why));
END $$;
COMMENT ON FUNCTION hookfast.reschedule IS
    'Changes when a ready or retrying delivery is due; now() makes it due at once';
REVOKE ALL ON FUNCTION hookfast.reschedule FROM PUBLIC;
