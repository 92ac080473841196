-- The key makes one condition one alert. The deliveries are due from the start of the transaction, as in enqueue.
CREATE OR REPLACE FUNCTION hookfast_data.raise_alert(type text, key text, payload jsonb,
    source text DEFAULT 'hookfast') RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
#variable_conflict use_column
DECLARE
    event uuid := hookfast_data.new_event_id();
    bounded text := hookfast_data.bounded_key(raise_alert.key);
    taken uuid;
BEGIN
    PERFORM FROM hookfast_data.alert_types n WHERE n.type = raise_alert.type;
    IF NOT FOUND THEN
        RAISE 'invalid alert type %', raise_alert.type;
    END IF;
    INSERT INTO hookfast_data.idempotency_keys AS k (source_id, key, event_id, expires_at)
    SELECT s.id, bounded, event, now() + interval '90 days' FROM hookfast_data.sources s
        WHERE s.name = raise_alert.source
    ON CONFLICT (source_id, key) DO NOTHING RETURNING k.event_id INTO taken;
    IF taken IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
    SELECT event, s.id, r.version, raise_alert.type, 'hookfast', bounded, '{}',
        convert_to(jsonb_strip_nulls(raise_alert.payload)::text, 'UTF8')
    FROM hookfast_data.sources s, hookfast_data.subscription_version r WHERE s.name = raise_alert.source;
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key)
    SELECT h.id, event, h.max_attempts, CASE WHEN h.ordered_by IS NULL THEN now() END,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END
    FROM hookfast_data.handlers h JOIN hookfast_data.sources s ON s.name = raise_alert.source
    WHERE hookfast_data.subscribes(h.types, h.sources, s.name, raise_alert.type)
        AND h.retired_at IS NULL AND (h.kind <> 'airalo' OR s.kind = 'airalo');
    PERFORM hookfast_data.wake_workers();
    RETURN event;
END $$;
COMMENT ON FUNCTION hookfast_data.raise_alert IS
    'Stores and routes an alert, unless its key is known; returns the event. An alert about the domain of a source '
    'is an event of that source';
REVOKE ALL ON FUNCTION hookfast_data.raise_alert FROM PUBLIC;
