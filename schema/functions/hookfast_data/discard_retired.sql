-- This includes deliveries that a transaction stores that read the handlers before the retirement was committed.
CREATE OR REPLACE FUNCTION hookfast_data.discard_retired(of_handler smallint, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    retired record;
    pending bigint[];
    discarded bigint := 0;
BEGIN
    -- The handlers are locked, so that a process that ends the retirement keeps the deliveries that are still pending.
    FOR retired IN SELECT h.id, h.retired_why FROM hookfast_data.handlers h
        WHERE h.retired_pending = 'discard' AND (of_handler IS NULL OR h.id = of_handler)
        ORDER BY h.id FOR SHARE SKIP LOCKED
    LOOP
        pending := ARRAY(SELECT o.id FROM hookfast_data.outbox o
            WHERE o.handler_id = retired.id AND o.lease_id IS NULL ORDER BY o.id LIMIT most - discarded);
        IF cardinality(pending) > 0 THEN
            discarded := discarded
                + hookfast_data.discard_deliveries(pending, 'its handler was retired: ' || retired.retired_why);
        END IF;
        EXIT WHEN discarded >= most;
    END LOOP;
    RETURN discarded;
END $$;
COMMENT ON FUNCTION hookfast_data.discard_retired IS
    'Discards a bounded number of pending deliveries of handlers that were retired with discard, of one handler or '
    'of all; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.discard_retired FROM PUBLIC;
