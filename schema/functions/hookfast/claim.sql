-- The plan settings keep the claim's plan the same in every state of the tables, as on the workers' connections.
CREATE OR REPLACE FUNCTION hookfast.claim(handler text, owner text, batch integer DEFAULT 10,
    lease interval DEFAULT '60 seconds')
    RETURNS TABLE (
        lease_id bigint, delivery_id bigint, attempt_number integer, event_id uuid, source text, type text, topic text,
            origin text,
        received_at timestamptz, idempotency_key text, conflicts_with uuid, headers jsonb, payload jsonb, body bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
        SET enable_mergejoin = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    h record;
    taken bigint[];
    events uuid[];
    most integer := claim.batch;
    seen integer := 0;
    -- A variable, since only a constant bounds an index scan: many deliveries may be due later.
    due timestamptz;
    new_lease bigint;
BEGIN
    SELECT r.id, r.kind, r.paused_at, r.retired_at, r.ordered_by, r.filter::jsonpath AS filter INTO h
        FROM hookfast_data.handlers r WHERE r.name = claim.handler;
    IF NOT FOUND OR h.kind <> 'pull' THEN
        RAISE 'no pull handler is named %; nothing was claimed', claim.handler
            USING ERRCODE = 'HF004',
                HINT = 'Declare it in the configuration as kind = "pull", and start a process with the role worker '
                'once.';
    END IF;
    IF claim.batch IS NULL OR claim.batch < 1 OR claim.batch > 1000 THEN
        RAISE 'invalid batch %: it must be 1 to 1000; nothing was claimed', claim.batch USING ERRCODE = '22023';
    END IF;
    IF claim.lease IS NULL OR claim.lease < interval '1 second' OR claim.lease > interval '1 day' THEN
        RAISE 'invalid lease %: it must be 1 second to 1 day; nothing was claimed', claim.lease USING ERRCODE = '22023';
    END IF;
    IF h.retired_at IS NOT NULL THEN
        -- Without the reason, which only operators see.
        RAISE 'handler % was retired at %; nothing was claimed', claim.handler, h.retired_at::timestamptz(0)
            USING ERRCODE = 'HF006',
                HINT = 'To end the retirement, start a process with the role worker whose configuration has the '
                'handler. Otherwise stop this client.';
    END IF;
    IF h.paused_at IS NOT NULL THEN
        RETURN;
    END IF;
    -- Workers do this within seconds. If no worker runs, the clients do it, once the database has been back for a
    -- while.
    PERFORM hookfast_data.rescue_pulled(h.id, interval '15 seconds', 5);
    IF h.ordered_by IS NOT NULL THEN
        FOR i IN 1..10 LOOP
            EXIT WHEN coalesce(hookfast_data.assign_ordering_keys(h.id, 1000), 0) = 0;
        END LOOP;
    END IF;
    -- With a filter: repeat until a delivery passes, none is left, or enough deliveries were tested. Larger steps if
    -- none passes.
    LOOP
        due := clock_timestamp();
        -- Half of the batch is for each group (deliveries with a due time, and fresh ones), and chance decides the odd
        -- one, so that neither group starves the other. What one group does not use, the other takes.
        WITH late AS MATERIALIZED (
            SELECT o.ctid AS tid, o.id FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at <= due AND o.due_at IS NOT NULL AND o.lease_id IS NULL
            ORDER BY o.due_at, o.id
            LIMIT (CASE WHEN h.ordered_by IS NULL THEN (most + (random() < 0.5)::integer) / 2 ELSE most END)
            FOR UPDATE SKIP LOCKED
        ),
        fresh AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at IS NULL AND o.ordering_key IS NULL
                AND o.lease_id IS NULL AND h.ordered_by IS NULL
            ORDER BY o.id LIMIT most - (SELECT count(*) FROM late)
            FOR UPDATE SKIP LOCKED
        ),
        rest AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at <= due AND o.due_at IS NOT NULL AND o.lease_id IS NULL
                AND o.id <> ALL (ARRAY(SELECT l.id FROM late l))
            ORDER BY o.due_at, o.id LIMIT most - (SELECT count(*) FROM late) - (SELECT count(*) FROM fresh)
            FOR UPDATE SKIP LOCKED
        )
        SELECT array_agg(o.id) INTO taken FROM (SELECT tid FROM late UNION ALL TABLE fresh UNION ALL TABLE rest) p
        JOIN hookfast_data.outbox o ON o.ctid = p.tid;
        EXIT WHEN taken IS NULL OR h.filter IS NULL;
        seen := seen + cardinality(taken);
        taken := nullif((hookfast_data.settle_filtered(h.id, h.filter, taken))[:claim.batch], '{}');
        EXIT WHEN taken IS NOT NULL OR seen >= 1000;
        most := greatest(most, least(2 * most, 200));
    END LOOP;
    IF taken IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO hookfast_data.leases (id, kind, owner, handlers, deliveries, claimed_in, expires_at)
    OVERRIDING SYSTEM VALUE VALUES (hookfast_data.new_lease_id(), 'pull', coalesce(claim.owner, '?'), ARRAY[h.id],
        taken, pg_current_xact_id(), clock_timestamp() + claim.lease)
    RETURNING id INTO new_lease;
    events := ARRAY(SELECT o.event_id FROM unnest(taken) AS t (id)
        JOIN hookfast_data.outbox o ON o.handler_id = h.id AND o.id = t.id ORDER BY o.event_id);
    -- Planned with these bounds, so that it opens only the days of the batch and does not wait for a lock on another
    -- day.
    RETURN QUERY EXECUTE '
    WITH claimed AS (
        UPDATE hookfast_data.outbox o SET lease_id = $1, attempt_number = o.attempt_number + 1
        FROM unnest($2) AS t (id)
        WHERE o.handler_id = $3 AND o.id = t.id
        RETURNING o.id, o.event_id, o.attempt_number
    )
    SELECT $1, w.id, w.attempt_number, w.event_id, s.name, e.type, e.topic, e.origin, e.received_at, e.idempotency_key,
        e.conflicts_with, e.headers, hookfast_data.as_jsonb(e.body), e.body
    FROM claimed w
    LEFT JOIN LATERAL (SELECT * FROM hookfast_data.events x
        WHERE x.id = w.event_id AND x.id BETWEEN $4 AND $5) e ON true
    LEFT JOIN hookfast_data.sources s ON s.id = e.source_id
    ORDER BY w.id' USING new_lease, taken, h.id, events[1], events[cardinality(events)];
END $$;
COMMENT ON FUNCTION hookfast.claim IS
    'Claims up to batch deliveries of a pull handler for the duration of the lease. Commit it before the work '
    'begins. Deliveries that the handler''s payload filter rejects are settled here, up to about 1,000 a call, and '
    'not returned. payload is null if the body is not JSON that Postgres can hold';
REVOKE ALL ON FUNCTION hookfast.claim FROM PUBLIC;
