CREATE OR REPLACE FUNCTION hookfast.discard(delivery_id bigint, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    state text;
BEGIN
    PERFORM hookfast_data.require_reason(discard.why);
    IF hookfast_data.discard_deliveries(ARRAY[discard.delivery_id], discard.why) = 0 THEN
        SELECT CASE WHEN o.lease_id IS NULL THEN 'is being changed by another transaction' ELSE 'is running' END
            INTO state FROM hookfast_data.handlers h JOIN hookfast_data.outbox o
            ON o.handler_id = h.id AND o.id = discard.delivery_id;
        RAISE 'delivery % %; nothing was changed', discard.delivery_id,
            coalesce(state, 'is neither pending nor a dead letter')
            USING ERRCODE = 'HF006',
                HINT = 'See its state in hookfast.deliveries. A running delivery can be discarded after its attempt '
                'has ended.';
    END IF;
    PERFORM hookfast_data.log('delivery.discarded', discard.delivery_id::text, jsonb_build_object('why', discard.why));
END $$;
COMMENT ON FUNCTION hookfast.discard IS
    'Discards a delivery that is dead, or pending and not running. It is not attempted again';
REVOKE ALL ON FUNCTION hookfast.discard FROM PUBLIC;
