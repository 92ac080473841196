-- Locks deliveries in the order of their ids, if the lease still holds each of them. Those of one id count once.
CREATE OR REPLACE FUNCTION hookfast_data.lock_pulled_deliveries(lease bigint, deliveries bigint[], OUT held tid[],
    OUT handler hookfast_data.handlers, OUT subject text, OUT duration_ms integer, OUT took text)
    LANGUAGE plpgsql SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
    SET enable_mergejoin = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pulled record;
    ids bigint[];
    elapsed_ms numeric;
    missing bigint;
BEGIN
    IF deliveries IS NULL THEN
        RAISE 'no delivery is named; nothing was changed'
            USING ERRCODE = '22004', HINT = 'Pass an array of the delivery_ids that the claim returned.';
    END IF;
    SELECT l.handlers[1] AS handler_id, l.claimed_in, l.registered_at INTO pulled FROM hookfast_data.leases l
        WHERE l.id = lease AND l.kind = 'pull';
    -- By one look-up of the primary key each, whatever the size of the outbox was when this was planned.
    SELECT array_agg(x.tid), array_agg(x.id) INTO held, ids
    FROM (SELECT DISTINCT t.id FROM unnest(deliveries) AS t (id) ORDER BY t.id) t
    CROSS JOIN LATERAL (SELECT o.ctid AS tid, o.id FROM hookfast_data.outbox o
        WHERE o.handler_id = pulled.handler_id AND o.id = t.id AND o.lease_id = lease FOR UPDATE) x;
    SELECT t.id INTO missing FROM unnest(deliveries) AS t (id)
        WHERE t.id IS NULL OR t.id <> ALL (coalesce(ids, '{}')) LIMIT 1;
    IF FOUND THEN
        RAISE 'delivery % is no longer held by lease %; nothing was changed, and this transaction must not commit its '
            'work', missing, lease
            USING ERRCODE = 'HF002',
                HINT = 'The lease expired and the delivery was released, or the delivery was already settled. Roll '
                'back and claim again.';
    END IF;
    -- This is the id of the top-level transaction, so it also matches if the claim was inside a savepoint.
    IF pulled.claimed_in = pg_current_xact_id() THEN
        RAISE 'delivery % was claimed in this transaction; nothing was settled', ids[1]
            USING ERRCODE = 'HF003',
                HINT = 'Commit the claim before the work begins. Otherwise a crash would not count as an attempt.';
    END IF;
    held := coalesce(held, '{}');
    SELECT h.* INTO handler FROM hookfast_data.handlers h WHERE h.id = pulled.handler_id;
    subject := 'handler:' || handler.name;
    elapsed_ms := extract(epoch FROM clock_timestamp() - pulled.registered_at) * 1000;
    duration_ms := least(2147483647, elapsed_ms);
    took := hookfast_data.duration_counter(elapsed_ms);
END $$;
COMMENT ON FUNCTION hookfast_data.lock_pulled_deliveries IS
    'The fence of pulling clients: raises HF002 if the lease is lost, HF003 if the claim is not committed. Returns '
    'where the rows are, their handler, and what is counted for it';
REVOKE ALL ON FUNCTION hookfast_data.lock_pulled_deliveries FROM PUBLIC;
