CREATE OR REPLACE FUNCTION hookfast_data.airalo_project_order(of_source smallint, event hookfast.event) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    outcome text := split_part(event.type, '.', 3);
    is_conflict boolean := event.conflicts_with IS NOT NULL;
    result jsonb := hookfast_data.airalo_result(outcome, event.payload);
    new hookfast_data.airalo_orders;
    known hookfast_data.airalo_orders;
    first_order text;
    row_id bigint;
BEGIN
    new.source_id := of_source;
    new.request_id := hookfast_data.airalo_request_id(event.payload);
    new.order_id := hookfast_data.airalo_order_id(outcome, event.payload);
    IF new.request_id IS NULL AND new.order_id IS NULL THEN
        IF outcome = 'completed' AND jsonb_path_exists(result, '$.sims[*].iccid ? (@ != "" && @ != null)') THEN
            RAISE 'the order of event % has neither a request_id nor an id; nothing of it was written', event.event_id
                USING ERRCODE = 'HF001', HINT = 'The body in hookfast.events contains its SIMs.';
        END IF;
        -- The result identifies neither a request, an order nor a SIM, so there is nothing to write.
        RETURN NULL;
    END IF;
    PERFORM hookfast_data.airalo_lock_result(of_source, event);
    new.state := outcome;
    new.rank := CASE WHEN outcome = 'failed' THEN 1 WHEN is_conflict THEN 2 ELSE 3 END;
    new.code := hookfast_data.airalo_text(result, 'code');
    new.package_id := hookfast_data.airalo_text(result, 'package_id');
    new.package := hookfast_data.airalo_text(result, 'package');
    new.description := hookfast_data.airalo_text(result, 'description');
    new.quantity := hookfast_data.airalo_number(result, 'quantity');
    new.validity_days := hookfast_data.airalo_number(result, 'validity');
    new.data := hookfast_data.airalo_text(result, 'data');
    new.text := hookfast_data.airalo_text(result, 'text');
    new.voice := hookfast_data.airalo_text(result, 'voice');
    new.currency := hookfast_data.airalo_text(result, 'currency');
    new.price := hookfast_data.airalo_number(result, 'price');
    new.net_price := hookfast_data.airalo_number(result, 'net_price');
    new.total_amount_paid := hookfast_data.airalo_number(result, 'total_amount_paid');
    new.pricing_model := hookfast_data.airalo_text(result, 'pricing_model');
    new.reason := coalesce(hookfast_data.airalo_text(result, 'reason'),
        hookfast_data.airalo_text(event.payload, 'reason'));
    new.ordered_at := hookfast_data.airalo_time(result ->> 'created_at');
    new.event_id := event.event_id;
    new.received_at := event.received_at;
    new.conflicts := CASE WHEN is_conflict THEN ARRAY[event.event_id] ELSE '{}' END;

    IF is_conflict AND new.request_id IS NOT NULL THEN
        -- The first result may have been found only by its order id. Then this result identifies its request.
        SELECT o.order_id INTO first_order FROM hookfast_data.airalo_orders o
            WHERE o.id = hookfast_data.airalo_first_row(of_source, event.conflicts_with) AND o.request_id IS NULL;
        PERFORM hookfast_data.airalo_link(of_source, new.request_id, first_order);
    END IF;
    row_id := hookfast_data.airalo_order_row(of_source, new.request_id, new.order_id);
    SELECT * INTO known FROM hookfast_data.airalo_orders o WHERE o.id = row_id;
    IF known.id IS NULL THEN
        new.id := nextval(pg_get_serial_sequence('hookfast_data.airalo_orders', 'id'));
        row_id := new.id;
        INSERT INTO hookfast_data.airalo_orders OVERRIDING SYSTEM VALUE VALUES (new.*);
    ELSE
        IF new.rank = 3 AND known.rank = 3 AND new.order_id <> known.order_id THEN
            new.conflicts := ARRAY[event.event_id];
        END IF;
        new.id := known.id;
        new.request_id := coalesce(known.request_id, new.request_id);
        new.conflicts := ARRAY(SELECT DISTINCT c FROM unnest(known.conflicts || new.conflicts) c ORDER BY 1);
        IF new.rank > known.rank
            OR new.rank = known.rank AND new.event_id > known.event_id AND coalesce(new.order_id = known.order_id, true)
        THEN
            new.order_id := coalesce(new.order_id, known.order_id);
            new.description := coalesce(new.description, known.description);
            UPDATE hookfast_data.airalo_orders o SET (request_id, order_id, state, rank, code, package_id, package,
                description, quantity, validity_days,
                data, text, voice, currency, price, net_price, total_amount_paid, pricing_model, reason, ordered_at,
                    event_id, received_at, conflicts)
                = ROW (new.request_id, new.order_id, new.state, new.rank, new.code, new.package_id, new.package,
                    new.description, new.quantity,
                new.validity_days, new.data, new.text, new.voice, new.currency, new.price, new.net_price,
                    new.total_amount_paid, new.pricing_model,
                new.reason, new.ordered_at, new.event_id, new.received_at, new.conflicts)
            WHERE o.id = row_id;
        ELSE
            UPDATE hookfast_data.airalo_orders o SET request_id = new.request_id, conflicts = new.conflicts
            WHERE o.id = row_id AND (o.request_id, o.conflicts) IS DISTINCT FROM (new.request_id, new.conflicts);
        END IF;
    END IF;
    IF outcome = 'completed' THEN
        -- If an ICCID arrived twice, the data of a first result outranks the data of a conflict.
        INSERT INTO hookfast_data.airalo_sims AS s (source_id, iccid, order_row, order_id, conflict, sim_id, lpa,
            matching_id, qrcode, qrcode_url,
            direct_apple_installation_url, confirmation_code, msisdn, apn_type, apn_value, is_roaming, event_id,
                received_at)
        SELECT DISTINCT ON (2) of_source, hookfast_data.airalo_text(sim, 'iccid'), row_id,
            hookfast_data.airalo_order_id(outcome, event.payload), is_conflict, hookfast_data.airalo_text(sim, 'id'),
            sim ->> 'lpa', sim ->> 'matching_id', sim ->> 'qrcode', sim ->> 'qrcode_url',
                sim ->> 'direct_apple_installation_url', sim ->> 'confirmation_code',
            sim ->> 'msisdn', sim ->> 'apn_type', sim ->> 'apn_value',
                CASE WHEN jsonb_typeof(sim -> 'is_roaming') = 'boolean' THEN (sim -> 'is_roaming')::boolean END,
            event.event_id, event.received_at
        FROM jsonb_array_elements(CASE jsonb_typeof(result -> 'sims') WHEN 'array' THEN result -> 'sims' END) sim
        WHERE hookfast_data.airalo_text(sim, 'iccid') <> ''
        ORDER BY 2
        ON CONFLICT (source_id, iccid) DO UPDATE
            SET (order_row, order_id, conflict, sim_id, lpa, matching_id, qrcode, qrcode_url,
            direct_apple_installation_url,
            confirmation_code, msisdn, apn_type, apn_value, is_roaming, event_id, received_at)
            = ROW (excluded.order_row, excluded.order_id, excluded.conflict, excluded.sim_id, excluded.lpa,
                excluded.matching_id, excluded.qrcode, excluded.qrcode_url,
            excluded.direct_apple_installation_url, excluded.confirmation_code, excluded.msisdn, excluded.apn_type,
                excluded.apn_value, excluded.is_roaming,
            excluded.event_id, excluded.received_at)
        WHERE (NOT excluded.conflict, excluded.event_id) > (NOT s.conflict, s.event_id);
        IF EXISTS (SELECT FROM hookfast_data.airalo_expected e
            WHERE e.source_id = of_source AND e.description = new.description) THEN
            PERFORM hookfast_data.airalo_flag_duplicates(of_source, new.description);
        END IF;
    END IF;
    RETURN row_id;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_project_order IS
    'Writes the result of an order into the projection; returns its row';
REVOKE ALL ON FUNCTION hookfast_data.airalo_project_order FROM PUBLIC;
