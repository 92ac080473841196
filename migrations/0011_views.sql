-- The views. Readers see payloads without what a source marks as secret, headers from a list, and no text that came
-- from a handler. Views only ever get new columns at their end.

CREATE FUNCTION hookfast_data.unmasked(who name) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN pg_has_role(who, (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'hookfast_data'), 'USAGE')
        OR EXISTS (SELECT FROM hookfast_data.settings s JOIN pg_roles r ON r.rolname = s.value
            WHERE s.name = 'operator_role' AND pg_has_role(who, r.oid, 'USAGE'));
COMMENT ON FUNCTION hookfast_data.unmasked IS 'Whether a role sees everything: operators and the owner do';

CREATE FUNCTION hookfast_data.without_fields(payload jsonb, fields text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE jsonb_typeof(payload)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(m.key, CASE
                WHEN lower(m.key) = ANY (fields) AND m.value <> 'null' THEN '"***"'
                ELSE hookfast_data.without_fields(m.value, fields) END), '{}')
            FROM jsonb_each(payload) m)
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(hookfast_data.without_fields(m.value, fields) ORDER BY m.ord), '[]')
            FROM jsonb_array_elements(payload) WITH ORDINALITY m (value, ord))
        ELSE payload END;
END $$;
COMMENT ON FUNCTION hookfast_data.without_fields IS 'A payload with *** in the place of some members, at any depth';

-- A secret may stand in another member too, as a matching id in the text of an instruction: so what stood in the
-- marked members is taken out wherever it is. Where that would leave no JSON, nothing is shown.
-- SECURITY DEFINER: readers may call nothing of this schema by its name.
CREATE FUNCTION hookfast_data.masked(payload jsonb, fields text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secret text;
    shown text;
BEGIN
    IF payload IS NULL OR cardinality(fields) = 0 THEN
        RETURN payload;
    END IF;
    shown := hookfast_data.without_fields(payload, fields)::text;
    FOR secret IN
        SELECT v.value::text FROM jsonb_path_query(payload, 'strict $.** ? (@.type() == "object")') o
        CROSS JOIN LATERAL jsonb_each(o) m
        CROSS JOIN LATERAL jsonb_path_query(m.value, 'strict $.** ? (@.type() == "string")') v (value)
        WHERE lower(m.key) = ANY (fields) AND length(v.value::text) >= 10
        -- The longest first: one may stand in another.
        GROUP BY 1 ORDER BY length(v.value::text) DESC, 1
    LOOP
        shown := replace(shown, substring(secret FROM 2 FOR length(secret) - 2), '***');
    END LOOP;
    RETURN shown::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN '"***"';
END $$;
COMMENT ON FUNCTION hookfast_data.masked IS 'A payload as readers see it';

CREATE FUNCTION hookfast_data.shown_headers(headers jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT coalesce(jsonb_object_agg(h.key, h.value), '{}') FROM jsonb_each(headers) h WHERE h.key IN (
        'content-type', 'content-length', 'content-encoding', 'date', 'user-agent', 'webhook-id', 'webhook-timestamp',
        'x-github-event', 'x-github-delivery', 'x-shopify-topic', 'x-shopify-webhook-id', 'x-slack-request-timestamp'));
COMMENT ON FUNCTION hookfast_data.shown_headers IS 'The headers that readers see';

-- In our words: Postgres would quote the payload.
CREATE FUNCTION hookfast_data.payload_error(body bytea) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
BEGIN
    PERFORM convert_from(body, 'UTF8')::jsonb;
    RETURN NULL;
EXCEPTION
    WHEN character_not_in_repertoire OR untranslatable_character THEN RETURN 'holds a NUL, or is not UTF-8';
    WHEN invalid_text_representation THEN RETURN 'is not JSON';
    WHEN OTHERS THEN RETURN 'is JSON that Postgres cannot hold as jsonb';
END $$;
COMMENT ON FUNCTION hookfast_data.payload_error IS 'Why a body is not shown as jsonb, in a few words that quote none of it; null where it is';

-- The words of the http handler come first in its errors and end at a colon; so do those of most programs.
CREATE FUNCTION hookfast_data.error_kind(outcome text, status smallint, error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN status IS NOT NULL THEN 'status ' || status WHEN outcome = 'lost' THEN 'lost'
        ELSE coalesce(nullif(left(split_part(error, ':', 1), 60), ''), 'no reason given') END;
COMMENT ON FUNCTION hookfast_data.error_kind IS 'What a failed attempt is grouped by: the status, or how its error begins';

-- What readers see of it: only what is ours.
CREATE FUNCTION hookfast_data.shown_kind(kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN kind ~ '^(status [0-9]{3}|lost|timed out after [0-9]+ m?s|name not found|tls failed|connection (refused|failed|broken)|answer refused|not http|request failed|address refused|the handler panicked|the handler did not end within [0-9.]+[a-zµ]{1,2}|no reason given)$'
        THEN kind ELSE 'error' END;
COMMENT ON FUNCTION hookfast_data.shown_kind IS 'A kind of error where it is one of our own words, else error: a handler''s text may hold anything';

CREATE OR REPLACE VIEW hookfast.events AS
SELECT e.id AS event_id, s.name AS source, e.type, e.topic, e.origin, e.received_at, e.idempotency_key,
       e.conflicts_with, e.verified_by,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN e.headers ELSE hookfast_data.shown_headers(e.headers) END AS headers,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN hookfast_data.as_jsonb(e.body)
            ELSE hookfast_data.masked(hookfast_data.as_jsonb(e.body), s.secret_fields) END AS payload,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN e.body END AS body,
       CASE WHEN e.erased_at IS NOT NULL THEN 'was erased' ELSE hookfast_data.payload_error(e.body) END AS payload_error,
       e.erased_at
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id;
COMMENT ON VIEW hookfast.events IS 'One row for each thing that happened. payload is null where the body is not JSON that Postgres can hold, and payload_error says why; body has its exact bytes (operators only)';

CREATE OR REPLACE VIEW hookfast.attempts AS
SELECT a.event_id, a.delivery_id, a.attempt, h.name AS handler, a.outcome, a.finished_at, a.duration_ms, a.status,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN a.error END AS error,
       CASE WHEN a.outcome IN ('retry', 'dead', 'lost') THEN
           CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN hookfast_data.error_kind(a.outcome, a.status, a.error)
                ELSE hookfast_data.shown_kind(hookfast_data.error_kind(a.outcome, a.status, a.error)) END END AS error_kind
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id;
COMMENT ON VIEW hookfast.attempts IS 'One row for each try at a delivery: delivered, filtered, retry, dead, lost or discarded. error is for operators, error_kind for all';

CREATE OR REPLACE VIEW hookfast.dead_letters AS
SELECT d.delivery_id, h.name AS handler, d.event_id, d.attempt AS attempts, d.reason,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN d.last_error END AS last_error, d.died_at,
       (SELECT e.type FROM hookfast_data.events e WHERE e.id = d.event_id) AS type,
       (SELECT e.idempotency_key FROM hookfast_data.events e WHERE e.id = d.event_id) AS idempotency_key,
       d.ordering_key
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id;
COMMENT ON VIEW hookfast.dead_letters IS 'Deliveries that used up their tries or were refused for good. hookfast.retry and hookfast.discard are for them';

CREATE OR REPLACE VIEW hookfast.deliveries AS
SELECT o.id AS delivery_id, h.name AS handler, o.event_id,
       CASE WHEN o.locked_by IS NOT NULL THEN 'running'
            WHEN h.paused_at IS NOT NULL THEN 'paused'
            WHEN o.due_at = 'infinity' THEN 'waiting'
            WHEN o.due_at > clock_timestamp() THEN CASE WHEN o.attempt > 0 THEN 'retrying' ELSE 'postponed' END
            ELSE 'ready' END AS state,
       o.attempt AS attempts, o.tries_left::integer AS tries_left, nullif(o.due_at, 'infinity') AS next_try_at,
       NULL::timestamptz AS ended_at, nullif(o.ordering_key, '') AS ordering_key,
       CASE WHEN o.attempt > 0 AND (SELECT hookfast_data.unmasked(current_user)) THEN (
           SELECT a.error FROM hookfast_data.attempts a WHERE a.event_id = o.event_id AND a.delivery_id = o.id
           ORDER BY a.attempt DESC LIMIT 1) END AS last_error
FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id
UNION ALL
SELECT d.delivery_id, h.name, d.event_id, 'dead', d.attempt, 0, NULL, d.died_at, d.ordering_key,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN d.last_error END
FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
UNION ALL
SELECT a.delivery_id, h.name, a.event_id, 'delivered', a.attempt, NULL, NULL, a.finished_at, NULL, NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'delivered'
UNION ALL
SELECT a.delivery_id, h.name, a.event_id, 'filtered', a.attempt, NULL, NULL, a.finished_at, NULL, NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'filtered'
UNION ALL
SELECT a.delivery_id, h.name, a.event_id, 'discarded', a.attempt - 1, NULL, NULL, a.finished_at, NULL, NULL
FROM hookfast_data.attempts a JOIN hookfast_data.handlers h ON h.id = a.handler_id WHERE a.outcome = 'discarded';
COMMENT ON VIEW hookfast.deliveries IS 'Every delivery with its state: ready, running, retrying (at next_try_at), postponed, waiting (for an earlier one of its key), paused, dead, delivered, filtered (done, since its payload is none the handler wants) or discarded';

CREATE VIEW hookfast.conflicts AS
SELECT e.id AS event_id, s.name AS source, e.type, e.received_at, e.idempotency_key, e.conflicts_with AS first_event_id,
       (SELECT f.received_at FROM hookfast_data.events f WHERE f.id = e.conflicts_with) AS first_received_at,
       (SELECT f.payload FROM hookfast.events f WHERE f.event_id = e.id) AS payload,
       (SELECT f.payload FROM hookfast.events f WHERE f.event_id = e.conflicts_with) AS first_payload
FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
WHERE e.conflicts_with IS NOT NULL;
COMMENT ON VIEW hookfast.conflicts IS 'Events that have another''s key and other content, beside the first: a possible double purchase each';

CREATE OR REPLACE VIEW hookfast.quarantine AS
SELECT q.id AS quarantine_id, s.name AS source, q.reason, q.count, q.first_at, q.last_at, q.topic,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN q.headers ELSE hookfast_data.shown_headers(q.headers) END AS headers,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN q.body END AS body,
       octet_length(q.body) AS bytes, q.asked, q.asked_by, q.answer
FROM hookfast_data.quarantine q JOIN hookfast_data.sources s ON s.id = q.source_id;
COMMENT ON VIEW hookfast.quarantine IS 'Requests that failed verification; identical ones are one row with a count. body is for operators. hookfast.reverify, hookfast.release and hookfast.discard_quarantined are for them';

CREATE VIEW hookfast.replays AS
SELECT r.id AS replay_id, h.name AS handler, r.state, r.replayed, r.matching,
       CASE WHEN r.state = 'done' THEN 100 ELSE least(99, 100 * r.replayed / greatest(r.matching, 1)) END AS percent,
       CASE WHEN r.state = 'running' THEN interval '1 second' * (greatest(r.matching - r.replayed, 0) / r.per_second) END AS at_least_another,
       r.per_second, r.source, r.type, r.payload, r.new_webhook_id, r.asked_by, r.why, r.asked_at, r.stepped_at, r.ended_at
FROM hookfast_data.replays r JOIN hookfast_data.handlers h ON h.id = r.handler_id;
COMMENT ON VIEW hookfast.replays IS 'Replays of many events, with how far they are. hookfast.pause_replay, resume_replay and cancel_replay are for them';

CREATE VIEW hookfast.operator_log AS
SELECT l.id AS log_id, l.at, l.who, l.what, l.subject, CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN l.details END AS details
FROM hookfast_data.operator_log l;
COMMENT ON VIEW hookfast.operator_log IS 'What operators, and processes with the role worker, changed. details are for operators: a handler''s answer may be the reason of a pause';

CREATE VIEW hookfast.holds AS
SELECT h.event_id, h.why, h.held_by, h.held_at FROM hookfast_data.holds h;
COMMENT ON VIEW hookfast.holds IS 'Events that retention leaves alone because an operator said so';

CREATE VIEW hookfast.retention AS
SELECT r.class, r.keep, r.announced_at FROM hookfast_data.retention r;
COMMENT ON VIEW hookfast.retention IS 'How long what is kept: null is for ever. hookfast.retention_preview() says what would go';

CREATE FUNCTION hookfast.id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    -- Before 1970 is the smallest of all, also -infinity.
    RETURN CASE WHEN at IS NOT NULL THEN
        (lpad(to_hex(greatest(0, least(281474976710655, floor(extract(epoch FROM at) * 1000)))::bigint), 12, '0') || repeat('0', 20))::uuid END;
COMMENT ON FUNCTION hookfast.id_at IS 'The smallest event id of a moment: a time as a bound on event_id, which finds its day without reading the others';
REVOKE ALL ON FUNCTION hookfast.id_at FROM PUBLIC;
