-- The public interface. Views only ever get new columns at their end.

CREATE VIEW hookfast.events AS
SELECT e.id AS event_id, s.name AS source, e.type, e.topic, e.origin, e.received_at, e.idempotency_key,
       e.conflicts_with, e.verified_by, e.headers, hookfast_data.as_jsonb(e.body) AS payload, e.body
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id;
COMMENT ON VIEW hookfast.events IS 'One row for each thing that happened. payload is null where the body is not JSON that Postgres can hold; body has its exact bytes';

CREATE VIEW hookfast.attempts AS
SELECT a.event_id, a.delivery_id, a.attempt, h.name AS handler, a.outcome, a.finished_at, a.duration_ms, a.status, a.error
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id;
COMMENT ON VIEW hookfast.attempts IS 'One row for each try at a delivery: delivered, retry, dead or lost';

CREATE VIEW hookfast.dead_letters AS
SELECT d.delivery_id, h.name AS handler, d.event_id, d.attempt AS attempts, d.reason, d.last_error, d.died_at
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id;
COMMENT ON VIEW hookfast.dead_letters IS 'Deliveries that used up their tries or were refused for good';

CREATE VIEW hookfast.deliveries AS
SELECT o.id AS delivery_id, h.name AS handler, o.event_id,
       CASE WHEN o.locked_by IS NOT NULL THEN 'running'
            WHEN h.paused_at IS NOT NULL THEN 'paused'
            WHEN o.due_at > clock_timestamp() THEN 'retrying'
            ELSE 'ready' END AS state,
       o.attempt AS attempts, o.tries_left::integer AS tries_left, o.due_at AS next_try_at, NULL::timestamptz AS ended_at
FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
UNION ALL
SELECT d.delivery_id, h.name, d.event_id, 'dead', d.attempt, 0, NULL, d.died_at
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
UNION ALL
SELECT a.delivery_id, h.name, a.event_id, 'delivered', a.attempt, NULL, NULL, a.finished_at
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id
WHERE a.outcome = 'delivered';
COMMENT ON VIEW hookfast.deliveries IS 'Every delivery with its state: ready, running, retrying, paused, dead or delivered';

CREATE VIEW hookfast.quarantine AS
SELECT q.id AS quarantine_id, s.name AS source, q.reason, q.count, q.first_at, q.last_at, q.topic, q.headers, q.body
FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id;
COMMENT ON VIEW hookfast.quarantine IS 'Requests that failed verification; identical ones are one row with a count';

CREATE FUNCTION hookfast.pause(handler text, why text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = clock_timestamp(), paused_why = pause.why
    WHERE h.name = pause.handler AND h.paused_at IS NULL;
    IF NOT FOUND THEN
        PERFORM FROM hookfast_data.handlers h WHERE h.name = pause.handler;
        IF NOT FOUND THEN
            RAISE 'no handler is named %', pause.handler USING HINT = 'The names are in hookfast_data.handlers.';
        END IF;
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, 'handler.paused', pause.handler, jsonb_build_object('why', pause.why));
END $$;
COMMENT ON FUNCTION hookfast.pause IS 'Stops dispatch to a handler; intake goes on and its deliveries wait';

CREATE FUNCTION hookfast.resume(handler text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE hookfast_data.handlers h SET paused_at = NULL, paused_why = NULL
    WHERE h.name = resume.handler AND h.paused_at IS NOT NULL;
    IF NOT FOUND THEN
        PERFORM FROM hookfast_data.handlers h WHERE h.name = resume.handler;
        IF NOT FOUND THEN
            RAISE 'no handler is named %', resume.handler USING HINT = 'The names are in hookfast_data.handlers.';
        END IF;
        RETURN;
    END IF;
    INSERT INTO hookfast_data.operator_log (who, what, subject) VALUES (session_user, 'handler.resumed', resume.handler);
END $$;
COMMENT ON FUNCTION hookfast.resume IS 'Lets a paused handler go on';

REVOKE ALL ON FUNCTION hookfast.pause(text, text), hookfast.resume(text) FROM PUBLIC;
