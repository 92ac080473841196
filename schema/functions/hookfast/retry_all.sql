CREATE OR REPLACE FUNCTION hookfast.retry_all(
    handler text DEFAULT NULL, type text DEFAULT NULL, died_after timestamptz DEFAULT NULL,
        died_before timestamptz DEFAULT NULL,
    error text DEFAULT NULL, payload jsonpath DEFAULT NULL, max_attempts integer DEFAULT NULL, why text DEFAULT NULL,
        at_most bigint DEFAULT NULL,
    reason text DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    letters bigint[];
BEGIN
    PERFORM hookfast_data.lock_history_shared(),
        hookfast_data.check_not_retired(hookfast_data.handler_id(retry_all.handler)),
        hookfast_data.check_payload(retry_all.payload);
    IF retry_all.max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE 'invalid max_attempts %: it must be 1 to 1000; nothing was changed', retry_all.max_attempts
            USING ERRCODE = '22023';
    END IF;
    SELECT coalesce(array_agg(m.delivery_id ORDER BY m.delivery_id) FILTER (WHERE NOT m.erased), '{}') INTO letters
        FROM hookfast_data.matching_dead_letters(
        retry_all.handler, retry_all.type, retry_all.died_after, retry_all.died_before, retry_all.error,
            retry_all.payload,
        retry_all.reason) m
        JOIN hookfast_data.handlers h ON h.id = m.handler_id AND h.retired_at IS NULL;
    matching := cardinality(letters);
    changed := 0;
    sample_ids := letters[:5];
    IF retry_all.at_most IS NOT NULL THEN
        PERFORM hookfast_data.require_reason(retry_all.why);
        PERFORM hookfast_data.check_at_most(matching, retry_all.at_most);
        PERFORM FROM hookfast_data.dead_letters d WHERE d.delivery_id = ANY (letters) ORDER BY d.delivery_id FOR UPDATE;
        changed := hookfast_data.requeue_dead_letters(letters, retry_all.max_attempts);
        PERFORM hookfast_data.log('deliveries.retried', coalesce(retry_all.handler, 'all'),
            jsonb_build_object('count', changed,
            'type', retry_all.type, 'died_after', retry_all.died_after, 'died_before', retry_all.died_before,
            'error', retry_all.error, 'reason', retry_all.reason,
            'payload', retry_all.payload::text, 'max_attempts', retry_all.max_attempts, 'why',
                retry_all.why));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.retry_all IS
    'Retries all matching dead letters now. error is an ILIKE pattern, type a type pattern, payload a jsonpath '
    'predicate. Without at_most it changes nothing and returns how many match, with the ids of five of them';
REVOKE ALL ON FUNCTION hookfast.retry_all FROM PUBLIC;
