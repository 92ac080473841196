-- Locks one delivery, if the lease still holds it.
CREATE OR REPLACE FUNCTION hookfast_data.lock_pulled_delivery(lease bigint,
    delivery bigint) RETURNS hookfast_data.outbox
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fenced record;
BEGIN
    SELECT o AS held, l.claimed_in INTO fenced FROM hookfast_data.leases l
    JOIN hookfast_data.outbox o ON o.handler_id = l.handlers[1] AND o.id = delivery AND o.lease_id = l.id
    WHERE l.id = lease AND l.kind = 'pull' FOR UPDATE OF o;
    IF NOT FOUND THEN
        RAISE 'delivery % is no longer held by lease %; nothing was changed, and this transaction must not commit its '
            'work', delivery, lease
            USING ERRCODE = 'HF002',
                HINT = 'The lease expired and the delivery was released, or the delivery was already settled. Roll '
                'back and claim again.';
    END IF;
    -- This is the id of the top-level transaction, so it also matches if the claim was inside a savepoint.
    IF fenced.claimed_in = pg_current_xact_id() THEN
        RAISE 'delivery % was claimed in this transaction; nothing was settled', delivery
            USING ERRCODE = 'HF003',
                HINT = 'Commit the claim before the work begins. Otherwise a crash would not count as an attempt.';
    END IF;
    RETURN fenced.held;
END $$;
COMMENT ON FUNCTION hookfast_data.lock_pulled_delivery IS
    'The fence of pulling clients: raises HF002 if the lease is lost, HF003 if the claim is not committed';
REVOKE ALL ON FUNCTION hookfast_data.lock_pulled_delivery FROM PUBLIC;
