-- Payload filters, and where a handler's circuit breaker shows.

ALTER TABLE hookfast_data.handlers
    ADD COLUMN filter text CHECK (filter IS NULL OR filter::jsonpath IS NOT NULL),
    ADD COLUMN breaker_opened_at timestamptz,
    ADD COLUMN breaker_until timestamptz,
    ADD CHECK ((breaker_opened_at IS NULL) = (breaker_until IS NULL));
COMMENT ON COLUMN hookfast_data.handlers.filter IS 'A jsonpath predicate on the payload; what does not match is done without running the handler. Null is everything';
COMMENT ON COLUMN hookfast_data.handlers.breaker_opened_at IS 'Since when a process has found the handler unavailable and lets its deliveries wait; null where none does. By the process that wrote last';
COMMENT ON COLUMN hookfast_data.handlers.breaker_until IS 'When that process tries it again with one delivery';

-- One word more, so nothing that is there has to be looked at again.
ALTER TABLE hookfast_data.attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE hookfast_data.attempts ADD CONSTRAINT attempts_outcome_check
    CHECK (outcome IN ('delivered', 'filtered', 'retry', 'dead', 'lost')) NOT VALID;
COMMENT ON COLUMN hookfast_data.attempts.outcome IS 'delivered, filtered (the handler''s payload filter did not let it pass: done, and not run), retry (failed, will be tried again), dead (failed for good), lost (its worker went away)';
COMMENT ON VIEW hookfast.attempts IS 'One row for each try at a delivery: delivered, filtered, retry, dead or lost';

-- Every error is a body that does not match: it must not cost its neighbours anything. That is bodies that are not JSON,
-- JSON that jsonb cannot hold (a NUL, a number without end, too deep), and what a path cannot be evaluated on.
CREATE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
BEGIN
    RETURN coalesce(convert_from(body, 'UTF8')::jsonb @@ filter, false);
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.payload_matches IS 'Whether a body meets a payload filter; one that is not JSON that Postgres can hold meets none';

-- A path that is no predicate, as $ ? (@.a == 1), is true or false of nothing, and would let nothing pass. Postgres
-- prints predicates as (…), !(…) or exists (…), and everything else with what it begins with.
CREATE FUNCTION hookfast_data.check_filter(filter text) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF regexp_replace(filter::jsonpath::text, '^(strict|lax) ', '') !~ '^(\(|!\(|exists \()' THEN
        RAISE 'this path finds something, but says neither true nor false' USING ERRCODE = '22023';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_filter IS 'Raises where a text is no jsonpath, or one that is no predicate';

CREATE OR REPLACE VIEW hookfast.deliveries AS
SELECT o.id AS delivery_id, h.name AS handler, o.event_id,
       CASE WHEN o.locked_by IS NOT NULL THEN 'running'
            WHEN h.paused_at IS NOT NULL THEN 'paused'
            WHEN o.due_at = 'infinity' THEN 'waiting'
            WHEN o.due_at > clock_timestamp() THEN 'retrying'
            ELSE 'ready' END AS state,
       o.attempt AS attempts, o.tries_left::integer AS tries_left, nullif(o.due_at, 'infinity') AS next_try_at,
       NULL::timestamptz AS ended_at, nullif(o.ordering_key, '') AS ordering_key
FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
UNION ALL
SELECT d.delivery_id, h.name, d.event_id, 'dead', d.attempt, 0, NULL, d.died_at, d.ordering_key
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
UNION ALL
SELECT a.delivery_id, h.name, a.event_id, a.outcome, a.attempt, NULL, NULL, a.finished_at, NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
WHERE a.outcome IN ('delivered', 'filtered');
COMMENT ON VIEW hookfast.deliveries IS 'Every delivery with its state: ready, running, retrying, waiting (for an earlier one of its key), paused, dead, delivered or filtered (done, since its payload is none the handler wants)';

-- Ends those of some free deliveries, locked by the caller, whose payload does not pass; answers with the others.
CREATE FUNCTION hookfast_data.filter_out(handler smallint, filter jsonpath, deliveries bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql AS $$
DECLARE
    unwanted bigint[];
    keys text[];
BEGIN
    -- One whose event is gone passes: whoever claims it sees that.
    SELECT array_agg(o.id) INTO unwanted FROM unnest(filter_out.deliveries) AS t (id)
    JOIN hookfast_data.outbox o ON o.handler_id = filter_out.handler AND o.id = t.id
    CROSS JOIN LATERAL (SELECT e.body FROM hookfast_data.events e WHERE e.id = o.event_id) e
    WHERE NOT hookfast_data.payload_matches(e.body, filter_out.filter);
    IF unwanted IS NULL THEN
        RETURN filter_out.deliveries;
    END IF;
    WITH gone AS (
        DELETE FROM hookfast_data.outbox o USING unnest(unwanted) AS t (id)
        WHERE o.handler_id = filter_out.handler AND o.id = t.id
        RETURNING o.event_id, o.id, o.attempt, o.ordering_key
    ),
    tried AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome)
        SELECT g.event_id, g.id, g.attempt + 1, filter_out.handler, 'filtered' FROM gone g
        ON CONFLICT DO NOTHING
    )
    SELECT array_agg(DISTINCT g.ordering_key) INTO keys FROM gone g WHERE g.ordering_key <> '';
    IF keys IS NOT NULL THEN
        PERFORM hookfast_data.wake(filter_out.handler, keys);
    END IF;
    RETURN ARRAY(SELECT id FROM unnest(filter_out.deliveries) AS t (id) WHERE NOT id = ANY (unwanted));
END $$;
COMMENT ON FUNCTION hookfast_data.filter_out IS 'Settles as filtered what a payload filter does not let pass, among deliveries that the caller has locked; answers with the rest';

-- The plan settings keep the claim's plan what it is in every state of the tables, as on the workers' connections.
CREATE OR REPLACE FUNCTION hookfast.claim(handler text, holder text, batch integer DEFAULT 10, lease interval DEFAULT '60 seconds')
    RETURNS TABLE (
        lease_id bigint, delivery_id bigint, attempt integer, event_id uuid, source text, type text, topic text, origin text,
        received_at timestamptz, idempotency_key text, conflicts_with uuid, headers jsonb, payload jsonb, body bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    h record;
    taken bigint[];
    most integer := claim.batch;
    seen integer := 0;
    new_lease bigint;
BEGIN
    SELECT r.id, r.kind, r.paused_at, r.ordered_by, r.filter::jsonpath AS filter INTO h FROM hookfast_data.handlers r WHERE r.name = claim.handler;
    IF NOT FOUND OR h.kind <> 'pull' THEN
        RAISE 'no pull handler is named %; nothing was claimed', claim.handler
            USING ERRCODE = 'HF004', HINT = 'Declare it in the configuration as kind = "pull", and start a process with the role worker once.';
    END IF;
    IF claim.batch IS NULL OR claim.batch < 1 OR claim.batch > 1000 THEN
        RAISE 'a batch is 1 to 1000 deliveries, not %; nothing was claimed', claim.batch USING ERRCODE = '22023';
    END IF;
    IF claim.lease IS NULL OR claim.lease < interval '1 second' OR claim.lease > interval '1 day' THEN
        RAISE 'a lease lasts 1 second to 1 day, not %; nothing was claimed', claim.lease USING ERRCODE = '22023';
    END IF;
    IF h.paused_at IS NOT NULL THEN
        RETURN;
    END IF;
    -- Workers do this within seconds; where none runs, the clients do, once the database has been back for a while.
    PERFORM hookfast_data.rescue_pulled(h.id, interval '15 seconds', 5);
    IF h.ordered_by IS NOT NULL THEN
        PERFORM hookfast_data.sequence(h.id, 1000);
    END IF;
    -- Where there is a filter: until something passes, or nothing is left, or this has taken long enough. More at a time where little passes.
    LOOP
        -- Half for each lane, so that neither starves the other; what one leaves the other takes.
        WITH late AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at <= clock_timestamp() AND o.due_at IS NOT NULL AND o.locked_by IS NULL
            ORDER BY o.due_at, o.id LIMIT (CASE WHEN h.ordered_by IS NULL THEN (most + 1) / 2 ELSE most END)
            FOR UPDATE SKIP LOCKED
        ),
        fresh AS MATERIALIZED (
            SELECT o.ctid AS tid FROM hookfast_data.outbox o
            WHERE o.handler_id = h.id AND o.due_at IS NULL AND o.locked_by IS NULL AND h.ordered_by IS NULL
            ORDER BY o.id LIMIT most - (SELECT count(*) FROM late)
            FOR UPDATE SKIP LOCKED
        )
        SELECT array_agg(o.id) INTO taken FROM (TABLE late UNION ALL TABLE fresh) p
        JOIN hookfast_data.outbox o ON o.ctid = p.tid;
        EXIT WHEN taken IS NULL OR h.filter IS NULL;
        seen := seen + cardinality(taken);
        taken := nullif((hookfast_data.filter_out(h.id, h.filter, taken))[:claim.batch], '{}');
        EXIT WHEN taken IS NOT NULL OR seen >= 1000;
        most := greatest(most, least(2 * most, 200));
    END LOOP;
    IF taken IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO hookfast_data.leases (kind, holder, handlers, deliveries, expires_at)
    VALUES ('pull', coalesce(claim.holder, '?'), ARRAY[h.id], taken, clock_timestamp() + claim.lease)
    RETURNING id INTO new_lease;
    RETURN QUERY
    WITH held AS (
        UPDATE hookfast_data.outbox o SET locked_by = new_lease, attempt = o.attempt + 1
        FROM unnest(taken) AS t (id)
        WHERE o.handler_id = h.id AND o.id = t.id
        RETURNING o.id, o.event_id, o.attempt
    )
    SELECT new_lease, w.id, w.attempt, w.event_id, s.name, e.type, e.topic, e.origin, e.received_at, e.idempotency_key,
        e.conflicts_with, e.headers, hookfast_data.as_jsonb(e.body), e.body
    FROM held w
    LEFT JOIN LATERAL (SELECT * FROM hookfast_data.events x WHERE x.id = w.event_id) e ON true
    LEFT JOIN hookfast_data.sources s ON s.id = e.source_id
    ORDER BY w.id;
END $$;
COMMENT ON FUNCTION hookfast.claim IS 'Claims up to batch deliveries of a pull handler for the time of the lease. Commit it before the work begins. What the handler''s payload filter does not let pass is ended here, up to some 1,000 a call, and not returned. payload is null where the body is not JSON that Postgres can hold';

REVOKE ALL ON FUNCTION hookfast_data.payload_matches, hookfast_data.check_filter, hookfast_data.filter_out FROM PUBLIC;
