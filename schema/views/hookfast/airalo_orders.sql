-- In parts, so that an index serves every search: results with a description, results without one (failed orders), and
-- expected results.
CREATE OR REPLACE VIEW hookfast.airalo_orders AS
SELECT
    s.name AS source,
    o.request_id,
    o.description,
    o.state,
    o.order_id,
    o.code,
    o.package_id,
    o.package,
    o.quantity,
    o.validity_days,
    o.data,
    o.text,
    o.voice,
    o.currency,
    o.price,
    o.net_price,
    o.total_amount_paid,
    o.pricing_model,
    o.reason,
    o.ordered_at,
    o.received_at,
    o.event_id,
    cardinality(o.conflicts) > 0 AS possible_double_purchase,
    o.conflicts AS conflict_event_ids,
    coalesce(e.placed_at, u.placed_at) AS placed_at,
    coalesce(e.expected_by, u.expected_by) AS expected_by,
    coalesce(e.overdue_at, u.overdue_at) AS overdue_at,
    coalesce(e.last_check_result, u.last_check_result) AS last_check_result,
    (SELECT max(k.acknowledged_at) FROM hookfast_data.acknowledgements k WHERE k.event_id = ANY (o.conflicts)
        HAVING count(*) = cardinality(o.conflicts)) AS acknowledged_at
FROM hookfast_data.airalo_orders o JOIN hookfast_data.sources s ON s.id = o.source_id
LEFT JOIN hookfast_data.airalo_expected e ON e.source_id = o.source_id AND e.request_id = o.request_id
LEFT JOIN hookfast_data.airalo_expected u ON u.source_id = o.source_id AND u.description = o.description
    AND u.request_id IS NULL
WHERE o.description IS NOT NULL
UNION ALL
SELECT
    s.name,
    o.request_id,
    e.description,
    o.state,
    o.order_id,
    o.code,
    o.package_id,
    o.package,
    o.quantity,
    o.validity_days,
    o.data,
    o.text,
    o.voice,
    o.currency,
    o.price,
    o.net_price,
    o.total_amount_paid,
    o.pricing_model,
    o.reason,
    o.ordered_at,
    o.received_at,
    o.event_id,
    cardinality(o.conflicts) > 0,
    o.conflicts,
    e.placed_at,
    e.expected_by,
    e.overdue_at,
    e.last_check_result,
    (SELECT max(k.acknowledged_at) FROM hookfast_data.acknowledgements k WHERE k.event_id = ANY (o.conflicts)
        HAVING count(*) = cardinality(o.conflicts))
FROM hookfast_data.airalo_orders o JOIN hookfast_data.sources s ON s.id = o.source_id
LEFT JOIN hookfast_data.airalo_expected e ON e.source_id = o.source_id AND e.request_id = o.request_id
WHERE o.description IS NULL
UNION ALL
SELECT
    s.name,
    e.request_id,
    e.description,
    CASE WHEN e.unknown_why IS NOT NULL THEN 'unknown' WHEN e.expected_by <= now() THEN 'overdue' ELSE 'expected' END,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    e.unknown_why,
    NULL,
    NULL,
    NULL,
    false,
    '{}',
    e.placed_at,
    e.expected_by,
    e.overdue_at,
    e.last_check_result,
    NULL
FROM hookfast_data.airalo_expected e JOIN hookfast_data.sources s ON s.id = e.source_id
WHERE e.check_at IS NOT NULL
    -- Not as a join: the planner expects that most have a result, and would read all results to find the first one.
    AND (SELECT o.id FROM hookfast_data.airalo_orders o
        WHERE o.source_id = e.source_id AND o.request_id = e.request_id LIMIT 1) IS NULL
    AND (e.request_id IS NOT NULL
        OR NOT EXISTS (SELECT FROM hookfast_data.airalo_orders o
            WHERE o.source_id = e.source_id AND o.description = e.description));
COMMENT ON VIEW hookfast.airalo_orders IS
    'Airalo orders: expected, overdue, unknown (it is not known whether Airalo accepted the order), completed or '
    'failed. One row per request';
