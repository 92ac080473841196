CREATE OR REPLACE FUNCTION hookfast.explain(event_id uuid) RETURNS TABLE (handler text, verdict text,
    delivery_id bigint, message text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan SET debug_print_parse = off SET debug_print_rewritten = off
    SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    event record;
BEGIN
    SELECT e.type, e.subscription_version, s.name AS source, s.kind AS source_kind INTO event
        FROM hookfast_data.events e
    JOIN hookfast_data.sources s ON s.id = e.source_id WHERE e.id = explain.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %', explain.event_id
            USING ERRCODE = 'HF004',
                HINT = 'It may have been purged. hookfast.find finds events by key, order or ICCID.';
    END IF;
    RETURN QUERY
    WITH ours AS MATERIALIZED (
        SELECT d.handler, d.delivery_id, d.state, d.attempts, d.next_attempt_at, d.ended_at, d.running_by,
            d.running_since
        FROM hookfast.deliveries d WHERE d.event_id = explain.event_id
    )
    SELECT h.name, CASE WHEN o.state IN ('delivered', 'dead', 'filtered', 'discarded', 'retired') THEN o.state
        WHEN o.state IS NOT NULL THEN 'pending'
            WHEN NOT t.subscribes THEN 'not subscribed'
            WHEN h.retired_at IS NOT NULL THEN 'retired'
            WHEN h.registered_version > event.subscription_version THEN 'subscribed later'
            ELSE 'not routed' END,
        o.delivery_id,
        CASE WHEN o.state IN ('delivered', 'dead', 'filtered', 'discarded')
            THEN 'at ' || o.ended_at::timestamptz(0) || ', after '
                || hookfast_data.counted(o.attempts, 'attempt', 'attempts')
            WHEN o.state = 'retired' THEN 'the handler was retired at ' || h.retired_at::timestamptz(0)
                || ', so the delivery is not run' || CASE h.retired_pending WHEN 'discard' THEN '; it will be discarded'
                    ELSE '; it is kept until the event expires' END
            WHEN o.state IS NOT NULL THEN o.state || coalesce(' by ' || o.running_by, '')
                || coalesce(' since ' || o.running_since::timestamptz(0), '')
                || coalesce(', next attempt at ' || o.next_attempt_at::timestamptz(0), '')
                || ', ' || hookfast_data.counted(o.attempts, 'attempt', 'attempts')
                || CASE o.state WHEN 'running' THEN ' including this one' ELSE ' so far' END
            WHEN NOT t.subscribes
                THEN 'it subscribes to ' || array_to_string(h.types, ', ')
                || CASE WHEN h.sources IS NOT NULL THEN ' of ' || array_to_string(h.sources, ', ')
                    WHEN h.kind = 'airalo' THEN ' of sources of kind airalo' ELSE '' END
            WHEN h.retired_at IS NOT NULL THEN 'since ' || h.retired_at::timestamptz(0)
            WHEN h.registered_version > event.subscription_version
                THEN 'its subscription was registered at ' || h.registered_at::timestamptz(0)
                || '; hookfast.replay would deliver the event to it'
            ELSE 'it subscribes to the event, but there is neither a delivery nor an attempt; hookfast.replay would '
                'deliver the event to it' END
    FROM hookfast_data.handlers h LEFT JOIN ours o ON o.handler = h.name
    CROSS JOIN LATERAL (SELECT hookfast_data.subscribes(h.types, h.sources, event.source, event.type)
        AND (h.kind <> 'airalo' OR event.source_kind = 'airalo') AS subscribes) t
    ORDER BY h.name, o.delivery_id;
END $$;
COMMENT ON FUNCTION hookfast.explain IS
    'Explains for each handler what happened to an event: delivered, pending, dead, filtered, discarded, not '
    'subscribed, retired, subscribed later or not routed';
REVOKE ALL ON FUNCTION hookfast.explain FROM PUBLIC;
