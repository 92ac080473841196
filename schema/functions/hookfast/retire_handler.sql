CREATE OR REPLACE FUNCTION hookfast.retire_handler(handler text, why text, pending text DEFAULT 'discard',
    at_most bigint DEFAULT NULL)
    RETURNS TABLE (matching bigint, changed bigint, sample_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    of_handler smallint := hookfast_data.handler_id(retire_handler.handler);
    served text;
    cancelled bigint;
BEGIN
    PERFORM hookfast_data.require_reason(retire_handler.why);
    IF of_handler IS NULL OR retire_handler.pending IS NULL OR retire_handler.pending NOT IN ('discard', 'keep') THEN
        RAISE 'invalid arguments: handler is null, or pending is neither discard nor keep; nothing was changed'
            USING ERRCODE = '22023';
    END IF;
    IF retire_handler.at_most IS NOT NULL THEN
        PERFORM FROM hookfast_data.handlers h WHERE h.id = of_handler FOR UPDATE;
    END IF;
    -- In a separate statement, so that it sees what others committed before the row was locked.
    served := hookfast_data.served_by(of_handler);
    IF served IS NOT NULL THEN
        RAISE 'handler % is in use: %; nothing was changed', retire_handler.handler, served
            USING ERRCODE = 'HF006',
                HINT = 'Remove the handler from that configuration and restart the process, or stop the client. After '
                'a crash, wait until its lease has expired: 20 seconds for a process.';
    END IF;
    matching := (SELECT count(*) FROM hookfast_data.outbox o WHERE o.handler_id = of_handler);
    changed := 0;
    sample_ids := ARRAY(SELECT o.id FROM hookfast_data.outbox o WHERE o.handler_id = of_handler ORDER BY o.id LIMIT 5);
    IF retire_handler.at_most IS NOT NULL THEN
        PERFORM hookfast_data.check_at_most(matching, retire_handler.at_most);
        UPDATE hookfast_data.subscription_version r SET version = r.version + 1, changed_at = clock_timestamp()
            WHERE EXISTS (SELECT FROM hookfast_data.handlers h WHERE h.id = of_handler AND h.retired_at IS NULL);
        UPDATE hookfast_data.handlers h SET retired_at = coalesce(h.retired_at, clock_timestamp()),
            retired_why = retire_handler.why, retired_pending = retire_handler.pending,
            paused_at = NULL, paused_why = NULL, paused_as_gone = false,
            paused_by_status = NULL, breaker_opened_at = NULL, breaker_until = NULL
        WHERE h.id = of_handler;
        UPDATE hookfast_data.replays r SET state = 'cancelled', ended_at = clock_timestamp()
            WHERE r.handler_id = of_handler AND r.state IN ('running', 'paused');
        GET DIAGNOSTICS cancelled = ROW_COUNT;
        -- Workers discard the rest, and deliveries that are being stored at this moment.
        changed := hookfast_data.discard_retired(of_handler, 10000);
        PERFORM hookfast_data.log('handler.retired', retire_handler.handler, jsonb_build_object(
            'why', retire_handler.why, 'pending', retire_handler.pending, 'matching', matching, 'discarded', changed,
            'replays_cancelled', cancelled));
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.retire_handler IS
    'Ends the subscription of a handler that no configuration has any more: it gets no new deliveries. Its pending '
    'deliveries are never run: they are discarded (the first 10,000 at once, the rest by the workers) or kept until '
    'their events expire. Without at_most it changes nothing and returns how many are pending, with the ids of five. '
    'Raises an error while a live process or client serves the handler';
REVOKE ALL ON FUNCTION hookfast.retire_handler FROM PUBLIC;
