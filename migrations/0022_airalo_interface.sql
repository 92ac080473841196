-- Airalo's orders for everybody: the views, and what an application says it waits for.

-- In parts, so that whatever one asks by is found by its index: results with a description, results that say none (a failed
-- order), and what is still awaited.
CREATE VIEW hookfast.airalo_orders AS
SELECT s.name AS source, o.request_id, o.description, o.state, o.order_id, o.code, o.package_id, o.package,
       o.quantity, o.validity_days, o.data, o.text, o.voice, o.currency, o.price, o.net_price, o.total_amount_paid, o.pricing_model, o.reason,
       o.ordered_at, o.received_at, o.event_id, cardinality(o.conflicts) > 0 AS possible_double_purchase,
       o.conflicts AS conflict_event_ids, coalesce(e.placed_at, u.placed_at) AS placed_at, coalesce(e.expected_by, u.expected_by) AS expected_by,
       coalesce(e.overdue_at, u.overdue_at) AS overdue_at, coalesce(e.checked_says, u.checked_says) AS checked_says
FROM hookfast_data.airalo_orders o JOIN hookfast_data.sources s ON s.id = o.source_id
LEFT JOIN hookfast_data.airalo_expected e ON e.source_id = o.source_id AND e.request_id = o.request_id
LEFT JOIN hookfast_data.airalo_expected u ON u.source_id = o.source_id AND u.description = o.description AND u.request_id IS NULL
WHERE o.description IS NOT NULL
UNION ALL
SELECT s.name, o.request_id, e.description, o.state, o.order_id, o.code, o.package_id, o.package,
       o.quantity, o.validity_days, o.data, o.text, o.voice, o.currency, o.price, o.net_price, o.total_amount_paid, o.pricing_model, o.reason,
       o.ordered_at, o.received_at, o.event_id, cardinality(o.conflicts) > 0,
       o.conflicts, e.placed_at, e.expected_by, e.overdue_at, e.checked_says
FROM hookfast_data.airalo_orders o JOIN hookfast_data.sources s ON s.id = o.source_id
LEFT JOIN hookfast_data.airalo_expected e ON e.source_id = o.source_id AND e.request_id = o.request_id
WHERE o.description IS NULL
UNION ALL
SELECT s.name, e.request_id, e.description,
       CASE WHEN e.unknown_why IS NOT NULL THEN 'unknown' WHEN e.expected_by <= now() THEN 'overdue' ELSE 'expected' END,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, e.unknown_why, NULL, NULL, NULL, false, '{}',
       e.placed_at, e.expected_by, e.overdue_at, e.checked_says
FROM hookfast_data.airalo_expected e JOIN hookfast_data.sources s ON s.id = e.source_id
WHERE e.check_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM hookfast_data.airalo_orders o WHERE o.source_id = e.source_id AND o.request_id = e.request_id)
    AND (e.request_id IS NOT NULL
        OR NOT EXISTS (SELECT FROM hookfast_data.airalo_orders o WHERE o.source_id = e.source_id AND o.description = e.description));
COMMENT ON VIEW hookfast.airalo_orders IS 'Orders with Airalo: expected, overdue, unknown (it did not say whether it took the order), completed or failed. One row a request';

CREATE VIEW hookfast.airalo_sims AS
SELECT s.name AS source, m.iccid, o.request_id, o.description, m.order_id, m.conflict, m.sim_id,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.lpa WHEN m.lpa IS NOT NULL THEN '***' END AS lpa,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.matching_id WHEN m.matching_id IS NOT NULL THEN '***' END AS matching_id,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.qrcode WHEN m.qrcode IS NOT NULL THEN '***' END AS qrcode,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.qrcode_url WHEN m.qrcode_url IS NOT NULL THEN '***' END AS qrcode_url,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.direct_apple_installation_url WHEN m.direct_apple_installation_url IS NOT NULL THEN '***' END AS direct_apple_installation_url,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.confirmation_code WHEN m.confirmation_code IS NOT NULL THEN '***' END AS confirmation_code,
       CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN m.msisdn WHEN m.msisdn IS NOT NULL THEN '***' END AS msisdn,
       m.apn_type, m.apn_value, m.is_roaming, m.event_id, m.received_at
FROM hookfast_data.airalo_sims m JOIN hookfast_data.sources s ON s.id = m.source_id JOIN hookfast_data.airalo_orders o ON o.id = m.order_row;
COMMENT ON VIEW hookfast.airalo_sims IS 'The SIMs of completed orders; conflict where only another result of the same request brought it. What installs one is for operators';

CREATE VIEW hookfast.airalo_low_data AS
SELECT s.name AS source, l.iccid, l.package, l.level, l.remaining_percentage, l.event_id, l.received_at
FROM hookfast_data.airalo_low_data l JOIN hookfast_data.sources s ON s.id = l.source_id;
COMMENT ON VIEW hookfast.airalo_low_data IS 'What each SIM''s package last said of itself: 75 or 90 percent used, 3days or 1days to its end';

CREATE VIEW hookfast.airalo_credit AS
SELECT s.name AS source, c.threshold, c.remaining, c.message, c.event_id, c.received_at
FROM hookfast_data.airalo_credit c JOIN hookfast_data.sources s ON s.id = c.source_id;
COMMENT ON VIEW hookfast.airalo_credit IS 'What each account''s credit last said: percent of the limit that are used, and what is left';

CREATE FUNCTION hookfast_data.airalo_source(source text) RETURNS smallint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    ids smallint[] := ARRAY(SELECT s.id FROM hookfast_data.sources s WHERE s.kind = 'airalo' AND (airalo_source.source IS NULL OR s.name = airalo_source.source));
BEGIN
    IF cardinality(ids) <> 1 THEN
        RAISE '%; nothing was changed', CASE WHEN source IS NOT NULL THEN 'no source of kind airalo is named ' || source
            WHEN cardinality(ids) = 0 THEN 'there is no source of kind airalo' ELSE 'there are several sources of kind airalo' END
            USING ERRCODE = 'HF004', HINT = 'The names are in hookfast.source_health; say which with source => ''…''.';
    END IF;
    RETURN ids[1];
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_source IS 'The id of a source of kind airalo; the only one where none is named';

CREATE FUNCTION hookfast_data.airalo_state(expected bigint) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT o.state FROM hookfast_data.airalo_orders o
        WHERE o.source_id = e.source_id AND (o.request_id = e.request_id OR e.request_id IS NULL AND o.description = e.description)
        ORDER BY o.rank DESC LIMIT 1), CASE WHEN e.unknown_why IS NULL THEN 'expected' ELSE 'unknown' END)
    FROM hookfast_data.airalo_expected e WHERE e.id = expected
$$;
COMMENT ON FUNCTION hookfast_data.airalo_state IS 'How an expected order stands: expected, unknown, failed or completed';

CREATE FUNCTION hookfast.airalo_expect(
    request_id text, description text, expected_within interval DEFAULT '30 minutes', source text DEFAULT NULL)
    RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_expect.source);
    row_id bigint;
BEGIN
    IF coalesce(airalo_expect.request_id, '') = '' OR length(airalo_expect.request_id) > 200
        OR coalesce(airalo_expect.description, '') = '' OR length(airalo_expect.description) > 200
        OR airalo_expect.expected_within IS NULL OR airalo_expect.expected_within <= interval '0'
    THEN
        RAISE 'it takes a request_id and a description of at most 200 characters each, and a time; nothing was changed'
            USING ERRCODE = '22023', HINT = 'request_id is what POST /v2/orders-async was answered with, description what the order was given: a number of yours.';
    END IF;
    INSERT INTO hookfast_data.airalo_expected AS e (source_id, request_id, description, expected_by, check_at)
    VALUES (of_source, airalo_expect.request_id, airalo_expect.description, now() + airalo_expect.expected_within, now() + airalo_expect.expected_within)
    ON CONFLICT (source_id, request_id) DO UPDATE SET description = excluded.description RETURNING e.id INTO row_id;
    RETURN hookfast_data.airalo_state(row_id);
END $$;
COMMENT ON FUNCTION hookfast.airalo_expect IS 'Waits for the result of an asynchronous order, in the transaction that writes it down; answers with completed or failed where it has come already, else expected. Overdue, it is looked for in Airalo''s list of orders by its description, and told as airalo.order.overdue';

CREATE FUNCTION hookfast.airalo_forget(description text, why text, source text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_source smallint := hookfast_data.airalo_source(airalo_forget.source);
    forgotten bigint;
BEGIN
    PERFORM hookfast_data.check_why(airalo_forget.why);
    DELETE FROM hookfast_data.airalo_expected e WHERE e.source_id = of_source AND e.description = airalo_forget.description
        AND hookfast_data.airalo_state(e.id) IN ('expected', 'unknown');
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    IF forgotten = 0 THEN
        RAISE 'no order with the description % is waited for; nothing was changed', airalo_forget.description
            USING ERRCODE = 'HF004', HINT = 'hookfast.airalo_orders has those that are expected, overdue or unknown.';
    END IF;
    PERFORM hookfast_data.log('airalo.order.forgotten', airalo_forget.description, jsonb_build_object('count', forgotten, 'why', airalo_forget.why));
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION hookfast.airalo_forget IS 'Waits no more for the results of orders with that description: somebody knows that none will come. Answers with how many';

-- Before the order is sent, in a transaction of its own: should this process end before the answer, it is unknown.
CREATE FUNCTION hookfast_data.airalo_place(source text, description text, expected_within interval) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    row_id bigint;
BEGIN
    INSERT INTO hookfast_data.airalo_expected (source_id, description, expected_by, unknown_why, check_at)
    VALUES (hookfast_data.airalo_source(airalo_place.source), airalo_place.description, now() + airalo_place.expected_within,
        'the order was sent, and its answer has not come', now() + airalo_place.expected_within)
    RETURNING id INTO row_id;
    RETURN row_id;
EXCEPTION WHEN unique_violation THEN
    RAISE 'an order with the description % is unknown still: Airalo may have taken it', airalo_place.description
        USING ERRCODE = 'HF006', HINT = 'Wait until it is found, or hookfast.airalo_forget it once you know that it was not taken.';
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_place IS 'Writes down an order that is about to be sent';

CREATE FUNCTION hookfast_data.airalo_placed(expected bigint, request_id text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    -- Where the application was faster, its row is the one.
    DELETE FROM hookfast_data.airalo_expected e USING hookfast_data.airalo_expected other
    WHERE e.id = airalo_placed.expected AND other.source_id = e.source_id AND other.request_id = airalo_placed.request_id;
    UPDATE hookfast_data.airalo_expected e SET request_id = airalo_placed.request_id, unknown_why = NULL WHERE e.id = airalo_placed.expected;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_placed IS 'Airalo took the order';

-- More than one completed order with a description that is awaited: each is a possible double of the others.
CREATE FUNCTION hookfast_data.airalo_flag_double(of_source smallint, of_description text) RETURNS void
    LANGUAGE sql AS $$
    UPDATE hookfast_data.airalo_orders o SET conflicts = d.conflicts FROM (
        SELECT x.id, ARRAY(SELECT DISTINCT c FROM unnest(x.conflicts || others.events) c ORDER BY 1) AS conflicts FROM hookfast_data.airalo_orders x
        CROSS JOIN LATERAL (SELECT array_agg(y.event_id) AS events FROM hookfast_data.airalo_orders y
            WHERE y.source_id = x.source_id AND y.description = x.description AND y.state = 'completed' AND y.id <> x.id) others
        WHERE x.source_id = of_source AND x.description = of_description AND x.state = 'completed' AND others.events IS NOT NULL
        ORDER BY x.id FOR UPDATE OF x
    ) d WHERE o.id = d.id AND o.conflicts <> d.conflicts
$$;
COMMENT ON FUNCTION hookfast_data.airalo_flag_double IS 'Flags completed orders that have one description between them';

CREATE FUNCTION hookfast_data.airalo_take_due(sources smallint[], most bigint, pause interval)
    RETURNS TABLE (id bigint, source text, request_id text, description text, placed_at timestamptz, expected_by timestamptz)
    LANGUAGE sql AS $$
    WITH settled AS (
        -- Nobody looks for them any more.
        UPDATE hookfast_data.airalo_expected e SET check_at = NULL
        WHERE e.source_id = ANY (sources) AND e.check_at <= clock_timestamp() AND hookfast_data.airalo_state(e.id) IN ('completed', 'failed')
        RETURNING hookfast_data.airalo_flag_double(e.source_id, e.description)
    ),
    due AS MATERIALIZED (
        SELECT e.id FROM hookfast_data.airalo_expected e
        WHERE e.source_id = ANY (sources) AND e.check_at <= clock_timestamp() AND hookfast_data.airalo_state(e.id) IN ('expected', 'unknown')
        ORDER BY e.check_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    -- Less and less often, and no more after two weeks: then only a person can know.
    UPDATE hookfast_data.airalo_expected e SET checks = e.checks + 1,
        check_at = CASE WHEN e.expected_by > clock_timestamp() - interval '14 days' THEN clock_timestamp() + least(pause * power(2, least(e.checks, 20)), interval '6 hours') ELSE 'infinity' END
    FROM due d, hookfast_data.sources s WHERE e.id = d.id AND s.id = e.source_id
    RETURNING e.id, s.name, e.request_id, e.description, e.placed_at, e.expected_by
$$;
COMMENT ON FUNCTION hookfast_data.airalo_take_due IS 'The expected orders that are due to be looked for, each for one process';

CREATE FUNCTION hookfast_data.airalo_missing(expected bigint, says text) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    e record;
BEGIN
    UPDATE hookfast_data.airalo_expected x SET checked_says = airalo_missing.says, overdue_at = coalesce(x.overdue_at, clock_timestamp())
    FROM hookfast_data.sources s WHERE x.id = airalo_missing.expected AND s.id = x.source_id
    RETURNING x.*, s.name AS source INTO e;
    RETURN CASE WHEN FOUND THEN hookfast_data.raise_news('airalo.order.overdue', 'overdue:' || coalesce(e.request_id, 'expected:' || e.id),
        jsonb_build_object('request_id', e.request_id, 'description', e.description, 'placed_at', e.placed_at, 'expected_by', e.expected_by,
            'unknown', e.request_id IS NULL, 'says', says), e.source) END;
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_missing IS 'An expected order was looked for and not found: told once';

INSERT INTO hookfast_data.news_types VALUES
    ('airalo.order.overdue', 'the result of an order has not come in time, and Airalo''s list of orders has none');

CREATE FUNCTION hookfast_data.airalo_erased(events uuid[]) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM hookfast_data.airalo_sims s WHERE s.event_id = ANY (events);
    DELETE FROM hookfast_data.airalo_low_data l WHERE l.event_id = ANY (events);
    UPDATE hookfast_data.airalo_orders o SET description = NULL, reason = NULL WHERE o.event_id = ANY (events);
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_erased IS 'Takes out of the projection what erased events brought';

REVOKE ALL ON FUNCTION hookfast.airalo_expect, hookfast.airalo_forget, hookfast_data.airalo_source, hookfast_data.airalo_state, hookfast_data.airalo_place,
    hookfast_data.airalo_placed, hookfast_data.airalo_take_due, hookfast_data.airalo_flag_double, hookfast_data.airalo_missing, hookfast_data.airalo_erased FROM PUBLIC;
