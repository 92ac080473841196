-- Settles those of some unclaimed deliveries, locked by the caller, whose payload does not pass, and returns the rest.
-- It reads a bounded number of bytes of bodies, so that every call fits into a client's statement timeout. The
-- remaining deliveries stay unchanged for the next call.
CREATE OR REPLACE FUNCTION hookfast_data.settle_filtered(handler smallint, filter jsonpath,
    deliveries bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    events uuid[] := ARRAY(SELECT o.event_id FROM unnest(settle_filtered.deliveries) AS t (id)
        JOIN hookfast_data.outbox o ON o.handler_id = settle_filtered.handler AND o.id = t.id ORDER BY o.event_id);
    most_bytes bigint := 4194304;
    passed bigint[];
    rejected bigint[];
    keys text[];
BEGIN
    WITH bodies AS MATERIALIZED (
        SELECT o.id, t.place, e.body,
            sum(octet_length(e.body)) OVER (ORDER BY t.place) - octet_length(e.body) AS bytes_before
        FROM unnest(settle_filtered.deliveries) WITH ORDINALITY AS t (id, place)
        JOIN hookfast_data.outbox o ON o.handler_id = settle_filtered.handler AND o.id = t.id
        LEFT JOIN LATERAL (SELECT e.body FROM hookfast_data.events e WHERE e.id = o.event_id
            AND e.id BETWEEN events[1] AND events[cardinality(events)]) e ON true
    ),
    -- A delivery whose event is missing passes: the claimer detects that.
    judged AS MATERIALIZED (
        SELECT b.id, b.place, b.body IS NULL OR hookfast_data.payload_matches(b.body, settle_filtered.filter) AS passes
        FROM bodies b WHERE coalesce(b.bytes_before, 0) < most_bytes
    )
    SELECT array_agg(j.id ORDER BY j.place) FILTER (WHERE j.passes),
            array_agg(j.id ORDER BY j.place) FILTER (WHERE NOT j.passes)
        INTO passed, rejected FROM judged j;
    IF rejected IS NULL THEN
        RETURN coalesce(passed, '{}');
    END IF;
    WITH deleted AS (
        DELETE FROM hookfast_data.outbox o USING unnest(rejected) AS t (id)
        WHERE o.handler_id = settle_filtered.handler AND o.id = t.id
        RETURNING o.event_id, o.id, o.attempt_number, o.ordering_key
    ),
    new_attempts AS (
        INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome)
        SELECT d.event_id, d.id, d.attempt_number + 1, settle_filtered.handler, 'filtered' FROM deleted d
        ON CONFLICT DO NOTHING
    )
    SELECT array_agg(DISTINCT d.ordering_key) INTO keys FROM deleted d WHERE d.ordering_key <> '';
    IF keys IS NOT NULL THEN
        PERFORM hookfast_data.make_next_due(settle_filtered.handler, keys);
    END IF;
    RETURN coalesce(passed, '{}');
END $$;
COMMENT ON FUNCTION hookfast_data.settle_filtered IS
    'Settles as filtered those of the caller''s locked deliveries that the payload filter rejects; returns those '
    'that pass, among the deliveries it has tested';
REVOKE ALL ON FUNCTION hookfast_data.settle_filtered FROM PUBLIC;
