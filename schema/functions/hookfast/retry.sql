CREATE OR REPLACE FUNCTION hookfast.retry(delivery_id bigint, why text,
    max_attempts integer DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    dead record;
BEGIN
    PERFORM hookfast_data.require_reason(retry.why), hookfast_data.lock_history_shared();
    SELECT d.event_id, d.handler_id, e.erased_at INTO dead FROM hookfast_data.dead_letters d
    LEFT JOIN LATERAL (SELECT x.erased_at FROM hookfast_data.events x WHERE x.id = d.event_id) e ON true
    WHERE d.delivery_id = retry.delivery_id FOR UPDATE OF d;
    IF NOT FOUND THEN
        RAISE 'delivery % is not a dead letter; nothing was changed', retry.delivery_id
            USING ERRCODE = 'HF006',
                HINT =
                    'It may be pending again, or was discarded: see hookfast.deliveries. To deliver a delivered event '
                    'again, use hookfast.replay.';
    END IF;
    PERFORM hookfast_data.check_not_retired(dead.handler_id);
    IF dead.erased_at IS NOT NULL THEN
        RAISE 'the payload of delivery % was erased, so it cannot be retried; nothing was changed',
            retry.delivery_id
            USING ERRCODE = 'HF007', HINT = 'Use hookfast.discard to end the delivery.';
    END IF;
    IF retry.max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE 'invalid max_attempts %: it must be 1 to 1000; nothing was changed', retry.max_attempts
            USING ERRCODE = '22023';
    END IF;
    PERFORM hookfast_data.requeue_dead_letters(ARRAY[retry.delivery_id], retry.max_attempts);
    PERFORM hookfast_data.log('delivery.retried', retry.delivery_id::text,
        jsonb_build_object('event_id', dead.event_id, 'max_attempts', retry.max_attempts, 'why', retry.why));
END $$;
COMMENT ON FUNCTION hookfast.retry IS
    'Retries one dead letter now: the same delivery, with the handler''s maximum of attempts or with max_attempts';
REVOKE ALL ON FUNCTION hookfast.retry FROM PUBLIC;
