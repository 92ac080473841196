-- Payload filters, and where a handler's circuit breaker shows; the view of deliveries with what waits for its key and
-- what was filtered.

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

REVOKE ALL ON FUNCTION hookfast_data.payload_matches, hookfast_data.check_filter, hookfast_data.filter_out FROM PUBLIC;
