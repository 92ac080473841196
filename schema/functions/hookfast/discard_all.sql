CREATE OR REPLACE FUNCTION hookfast.discard_all(
    handler text DEFAULT NULL, type text DEFAULT NULL, died_after timestamptz DEFAULT NULL,
        died_before timestamptz DEFAULT NULL,
    error text DEFAULT NULL, payload jsonpath DEFAULT NULL, why text DEFAULT NULL, at_most bigint DEFAULT NULL,
    reason text DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    letters bigint[] := ARRAY(SELECT m.delivery_id
        FROM hookfast_data.matching_dead_letters(discard_all.handler, discard_all.type,
        discard_all.died_after, discard_all.died_before, discard_all.error, discard_all.payload,
        discard_all.reason) m);
BEGIN
    PERFORM hookfast_data.handler_id(discard_all.handler), hookfast_data.check_payload(discard_all.payload);
    matching := cardinality(letters);
    changed := 0;
    sample_ids := letters[:5];
    IF discard_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(discard_all.why);
        PERFORM hookfast_data.check_at_most(matching, discard_all.at_most);
        PERFORM FROM hookfast_data.dead_letters d WHERE d.delivery_id = ANY (letters) ORDER BY d.delivery_id FOR UPDATE;
        changed := hookfast_data.discard_deliveries(letters, discard_all.why);
        PERFORM hookfast_data.log('deliveries.discarded', coalesce(discard_all.handler, 'all'),
            jsonb_build_object('count', changed,
            'type', discard_all.type, 'died_after', discard_all.died_after, 'died_before', discard_all.died_before,
            'error', discard_all.error, 'reason', discard_all.reason,
            'payload', discard_all.payload::text, 'why', discard_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.discard_all IS
    'Discards all matching dead letters; the filter is that of hookfast.retry_all. Without at_most it changes '
    'nothing and returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.discard_all FROM PUBLIC;
