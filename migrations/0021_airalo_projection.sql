-- Keeps airalo_orders, airalo_sims, airalo_low_data and airalo_credit, inside the transaction that settles the delivery. In
-- whatever order events come, once or many times, what they leave is the same: completed outranks failed, a first result
-- outranks one that conflicts with it, and of two equals the one that came later.

-- Numbers and texts alike, as they stand in what Airalo's producers write; anything else is not there.
CREATE FUNCTION hookfast_data.airalo_text(payload jsonb, member text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN jsonb_typeof(payload -> member) IN ('string', 'number') THEN left(payload ->> member, 200) END;
COMMENT ON FUNCTION hookfast_data.airalo_text IS 'A member that is a text or a number, as text';

CREATE FUNCTION hookfast_data.airalo_number(payload jsonb, member text) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN hookfast_data.airalo_text(payload, member) ~ '^\s*[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?\s*$'
        THEN hookfast_data.airalo_text(payload, member)::numeric END;
COMMENT ON FUNCTION hookfast_data.airalo_number IS 'A member that is a number, or a text that is one';

-- Older producers put some members under integer-like keys, whose numbers vary: {"1": {"data": {"text": null}}}.
CREATE FUNCTION hookfast_data.airalo_flat(fields jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT coalesce(jsonb_object_agg(i.key, i.value), '{}') FROM jsonb_each(CASE jsonb_typeof(fields) WHEN 'object' THEN fields END) m
        CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(m.value -> 'data') WHEN 'object' THEN m.value -> 'data' END) i
        WHERE m.key ~ '^[0-9]+$') || CASE jsonb_typeof(fields) WHEN 'object' THEN fields ELSE '{}' END;
COMMENT ON FUNCTION hookfast_data.airalo_flat IS 'An order''s members, with those that stand under integer-like keys';

CREATE FUNCTION hookfast_data.airalo_time(written text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN written ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$' THEN (written || '+00')::timestamptz END;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_time IS 'A time as Airalo writes it, which is UTC without saying so';

-- The row of a request, or of an order where no request is known; two that turn out to be one become one. Whoever else is
-- at this request or this order is waited for.
CREATE FUNCTION hookfast_data.airalo_order_row(of_source smallint, of_request text, of_order text) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    by_request bigint;
    by_order bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(l.key) FROM (
        SELECT hashtextextended(concat_ws(':', 'airalo', of_source, 'request', of_request), 0) AS key WHERE of_request IS NOT NULL
        UNION SELECT hashtextextended(concat_ws(':', 'airalo', of_source, 'order', of_order), 0) WHERE of_order IS NOT NULL
        ORDER BY 1
    ) l;
    SELECT o.id INTO by_request FROM hookfast_data.airalo_orders o WHERE o.source_id = of_source AND o.request_id = of_request FOR UPDATE;
    SELECT o.id INTO by_order FROM hookfast_data.airalo_orders o
    WHERE o.source_id = of_source AND o.order_id = of_order AND (o.request_id IS NULL OR of_request IS NULL) ORDER BY o.request_id, o.id LIMIT 1 FOR UPDATE;
    IF by_request IS NULL AND by_order IS NULL THEN
        -- An order that came as another result of a request is that request's.
        SELECT s.order_row INTO by_order FROM hookfast_data.airalo_sims s JOIN hookfast_data.airalo_orders o ON o.id = s.order_row
        WHERE s.source_id = of_source AND s.order_id = of_order AND (o.request_id IS NULL OR of_request IS NULL) LIMIT 1 FOR UPDATE OF o;
    END IF;
    IF by_request IS NOT NULL AND by_order <> by_request THEN
        UPDATE hookfast_data.airalo_sims s SET order_row = by_request WHERE s.order_row = by_order;
        UPDATE hookfast_data.airalo_orders o SET conflicts = ARRAY(SELECT DISTINCT c FROM unnest(o.conflicts || d.conflicts) c ORDER BY 1)
        FROM hookfast_data.airalo_orders d WHERE o.id = by_request AND d.id = by_order;
        UPDATE hookfast_data.airalo_orders o SET (order_id, state, rank, code, package_id, package, description, quantity, validity_days,
            data, text, voice, currency, price, net_price, total_amount_paid, pricing_model, reason, ordered_at, event_id, received_at)
            = ROW (d.order_id, d.state, d.rank, d.code, d.package_id, d.package, d.description, d.quantity, d.validity_days,
            d.data, d.text, d.voice, d.currency, d.price, d.net_price, d.total_amount_paid, d.pricing_model, d.reason, d.ordered_at, d.event_id, d.received_at)
        FROM hookfast_data.airalo_orders d WHERE o.id = by_request AND d.id = by_order
            AND (d.rank > o.rank OR d.rank = o.rank AND d.event_id > o.event_id AND d.order_id = o.order_id);
        DELETE FROM hookfast_data.airalo_orders o WHERE o.id = by_order;
    END IF;
    RETURN coalesce(by_request, by_order);
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_order_row IS 'The row of a request or an order, held for this transaction; null where there is none';

CREATE FUNCTION hookfast_data.airalo_project_order(of_source smallint, event hookfast.event) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    outcome text := split_part(event.type, '.', 3);
    is_conflict boolean := event.conflicts_with IS NOT NULL;
    in_data boolean := jsonb_typeof(event.payload -> 'data') = 'object' AND (outcome = 'failed' OR jsonb_typeof(event.payload #> '{data,sims}') = 'array');
    result jsonb := hookfast_data.airalo_flat(CASE WHEN in_data THEN event.payload -> 'data' ELSE event.payload END);
    new hookfast_data.airalo_orders;
    known hookfast_data.airalo_orders;
    row_id bigint;
BEGIN
    new.source_id := of_source;
    new.request_id := CASE WHEN jsonb_typeof(event.payload -> 'request_id') = 'string' THEN nullif(left(event.payload ->> 'request_id', 200), '') END;
    new.request_id := coalesce(new.request_id, CASE WHEN jsonb_typeof(event.payload #> '{data,request_id}') = 'string' THEN nullif(left(event.payload #>> '{data,request_id}', 200), '') END);
    new.order_id := coalesce(hookfast_data.airalo_text(result, 'id'), hookfast_data.airalo_text(event.payload -> 'data', 'id'));
    IF new.request_id IS NULL AND new.order_id IS NULL THEN
        -- It says no more than that something came to nothing.
        RETURN;
    END IF;
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
    new.reason := coalesce(hookfast_data.airalo_text(result, 'reason'), hookfast_data.airalo_text(event.payload, 'reason'));
    new.ordered_at := hookfast_data.airalo_time(result ->> 'created_at');
    new.event_id := event.event_id;
    new.received_at := event.received_at;
    new.conflicts := CASE WHEN is_conflict THEN ARRAY[event.event_id] ELSE '{}' END;

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
            UPDATE hookfast_data.airalo_orders o SET (request_id, order_id, state, rank, code, package_id, package, description, quantity, validity_days,
                data, text, voice, currency, price, net_price, total_amount_paid, pricing_model, reason, ordered_at, event_id, received_at, conflicts)
                = ROW (new.request_id, new.order_id, new.state, new.rank, new.code, new.package_id, new.package, new.description, new.quantity,
                new.validity_days, new.data, new.text, new.voice, new.currency, new.price, new.net_price, new.total_amount_paid, new.pricing_model,
                new.reason, new.ordered_at, new.event_id, new.received_at, new.conflicts)
            WHERE o.id = row_id;
        ELSE
            UPDATE hookfast_data.airalo_orders o SET request_id = new.request_id, conflicts = new.conflicts
            WHERE o.id = row_id AND (o.request_id, o.conflicts) IS DISTINCT FROM (new.request_id, new.conflicts);
        END IF;
    END IF;
    IF outcome = 'completed' THEN
        -- Of an ICCID that came twice, what came with a first result outranks what came with a conflict.
        INSERT INTO hookfast_data.airalo_sims AS s (source_id, iccid, order_row, order_id, conflict, sim_id, lpa, matching_id, qrcode, qrcode_url,
            direct_apple_installation_url, confirmation_code, msisdn, apn_type, apn_value, is_roaming, event_id, received_at)
        SELECT DISTINCT ON (2) of_source, hookfast_data.airalo_text(sim, 'iccid'), row_id,
            coalesce(hookfast_data.airalo_text(result, 'id'), hookfast_data.airalo_text(event.payload -> 'data', 'id')), is_conflict, hookfast_data.airalo_text(sim, 'id'),
            sim ->> 'lpa', sim ->> 'matching_id', sim ->> 'qrcode', sim ->> 'qrcode_url', sim ->> 'direct_apple_installation_url', sim ->> 'confirmation_code',
            sim ->> 'msisdn', sim ->> 'apn_type', sim ->> 'apn_value', CASE WHEN jsonb_typeof(sim -> 'is_roaming') = 'boolean' THEN (sim -> 'is_roaming')::boolean END,
            event.event_id, event.received_at
        FROM jsonb_array_elements(CASE jsonb_typeof(result -> 'sims') WHEN 'array' THEN result -> 'sims' END) sim
        WHERE hookfast_data.airalo_text(sim, 'iccid') <> ''
        ORDER BY 2
        ON CONFLICT (source_id, iccid) DO UPDATE SET (order_row, order_id, conflict, sim_id, lpa, matching_id, qrcode, qrcode_url, direct_apple_installation_url,
            confirmation_code, msisdn, apn_type, apn_value, is_roaming, event_id, received_at)
            = ROW (excluded.order_row, excluded.order_id, excluded.conflict, excluded.sim_id, excluded.lpa, excluded.matching_id, excluded.qrcode, excluded.qrcode_url,
            excluded.direct_apple_installation_url, excluded.confirmation_code, excluded.msisdn, excluded.apn_type, excluded.apn_value, excluded.is_roaming,
            excluded.event_id, excluded.received_at)
        WHERE (NOT excluded.conflict, excluded.event_id) > (NOT s.conflict, s.event_id);
        IF EXISTS (SELECT FROM hookfast_data.airalo_expected e WHERE e.source_id = of_source AND e.description = new.description) THEN
            PERFORM hookfast_data.airalo_flag_double(of_source, new.description);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_project_order IS 'Brings the result of an order into the projection';

CREATE FUNCTION hookfast.airalo_project(event hookfast.event) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_source smallint := (SELECT s.id FROM hookfast_data.sources s WHERE s.name = event.source);
    level text;
BEGIN
    IF of_source IS NULL OR jsonb_typeof(event.payload) IS DISTINCT FROM 'object' THEN
        RETURN;
    END IF;
    IF event.type ~ '^airalo\.order\.(completed|failed)(\.|$)' THEN
        PERFORM hookfast_data.airalo_project_order(of_source, event);
    ELSIF event.type ~ '^airalo\.low_data\.' AND hookfast_data.airalo_text(event.payload, 'iccid') <> '' THEN
        level := split_part(event.type, '.', 3);
        INSERT INTO hookfast_data.airalo_low_data AS l (source_id, iccid, package, level, remaining_percentage, event_id, received_at)
        VALUES (of_source, hookfast_data.airalo_text(event.payload, 'iccid'), coalesce(hookfast_data.airalo_text(event.payload, 'package_name'), ''),
            CASE WHEN level = 'other' THEN coalesce(hookfast_data.airalo_text(event.payload, 'level'), level) ELSE level END,
            hookfast_data.airalo_number(event.payload, 'remaining_percentage'), event.event_id, event.received_at)
        ON CONFLICT (source_id, iccid, package) DO UPDATE SET level = excluded.level, remaining_percentage = excluded.remaining_percentage,
            event_id = excluded.event_id, received_at = excluded.received_at
        WHERE excluded.event_id > l.event_id;
    ELSIF event.type ~ '^airalo\.credit_limit\.' THEN
        INSERT INTO hookfast_data.airalo_credit AS c (source_id, threshold, remaining, message, event_id, received_at)
        VALUES (of_source, split_part(event.type, '.', 3), hookfast_data.airalo_number(event.payload, 'remaining'),
            hookfast_data.airalo_text(event.payload, 'message'), event.event_id, event.received_at)
        ON CONFLICT (source_id) DO UPDATE SET threshold = excluded.threshold, remaining = excluded.remaining, message = excluded.message,
            event_id = excluded.event_id, received_at = excluded.received_at
        WHERE excluded.event_id > c.event_id;
    END IF;
END $$;
COMMENT ON FUNCTION hookfast.airalo_project IS 'Brings an event of Airalo into airalo_orders, airalo_sims, airalo_low_data and airalo_credit: the function of the handler kind airalo. A function of yours may call it, to do more in the same transaction';

REVOKE ALL ON FUNCTION hookfast.airalo_project, hookfast_data.airalo_project_order, hookfast_data.airalo_order_row, hookfast_data.airalo_text,
    hookfast_data.airalo_number, hookfast_data.airalo_flat, hookfast_data.airalo_time FROM PUBLIC;
