CREATE OR REPLACE FUNCTION hookfast.airalo_project_event(event hookfast.event) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    of_source smallint := (SELECT s.id FROM hookfast_data.sources s WHERE s.name = event.source AND s.kind = 'airalo');
    level text;
BEGIN
    IF of_source IS NULL THEN
        RAISE 'the source % is not of kind airalo; nothing of this event was written', event.source
            USING ERRCODE = 'HF001', HINT = 'Set the handler''s sources to those of kind airalo.';
    END IF;
    IF event.type !~ '^airalo\.(order\.(completed|failed)|low_data|credit_limit)(\.|$)' OR event.body = '' THEN
        -- The event is not projected, or it was erased.
        RETURN;
    END IF;
    event.payload := coalesce(event.payload, hookfast_data.readable_jsonb(event.body));
    IF jsonb_typeof(event.payload) IS DISTINCT FROM 'object' THEN
        RAISE 'the body of event % is not a JSON object that Postgres can read; nothing of it was written',
            event.event_id
            USING ERRCODE = 'HF001', HINT = 'The body is in hookfast.events. Enter the order by hand.';
    END IF;
    IF event.type ~ '^airalo\.order\.(completed|failed)(\.|$)' THEN
        PERFORM hookfast_data.airalo_project_order(of_source, event);
    ELSIF event.type ~ '^airalo\.low_data\.' AND hookfast_data.airalo_text(event.payload, 'iccid') <> '' THEN
        level := split_part(event.type, '.', 3);
        INSERT INTO hookfast_data.airalo_low_data AS l (source_id, iccid, package, level, remaining_percentage,
            event_id, received_at)
        VALUES (of_source, hookfast_data.airalo_text(event.payload, 'iccid'),
            coalesce(hookfast_data.airalo_text(event.payload, 'package_name'), ''),
            CASE WHEN level = 'other' THEN coalesce(hookfast_data.airalo_text(event.payload, 'level'), level)
                ELSE level END,
            hookfast_data.airalo_number(event.payload, 'remaining_percentage'), event.event_id, event.received_at)
        ON CONFLICT (source_id, iccid, package) DO UPDATE
            SET level = excluded.level, remaining_percentage = excluded.remaining_percentage,
            event_id = excluded.event_id, received_at = excluded.received_at
        WHERE excluded.event_id > l.event_id;
    ELSIF event.type ~ '^airalo\.credit_limit\.' THEN
        INSERT INTO hookfast_data.airalo_credit AS c (source_id, threshold, remaining, message, event_id, received_at)
        VALUES (of_source, split_part(event.type, '.', 3), hookfast_data.airalo_number(event.payload, 'remaining'),
            hookfast_data.airalo_text(event.payload, 'message'), event.event_id, event.received_at)
        ON CONFLICT (source_id) DO UPDATE SET threshold = excluded.threshold, remaining = excluded.remaining,
            message = excluded.message,
            event_id = excluded.event_id, received_at = excluded.received_at
        WHERE excluded.event_id > c.event_id;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.airalo_project_event IS
    'Writes an Airalo event into airalo_orders, airalo_sims, airalo_low_data and airalo_credit. Handlers of kind '
    'airalo run it. Your own function may call it, to do more in the same transaction';
REVOKE ALL ON FUNCTION hookfast.airalo_project_event FROM PUBLIC;
