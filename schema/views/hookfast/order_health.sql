CREATE OR REPLACE VIEW hookfast.order_health AS
SELECT
    s.name AS source,
    c.conflicts,
    d.possible_double_purchases,
    o.overdue,
    o.unknown
FROM hookfast_data.sources s
LEFT JOIN (SELECT e.source_id, count(*) AS conflicts FROM hookfast_data.events e
    WHERE e.conflicts_with IS NOT NULL AND e.id >= hookfast.event_id_at(statement_timestamp() - interval '7 days')
        AND NOT EXISTS (SELECT FROM hookfast_data.acknowledgements k WHERE k.event_id = e.id)
    GROUP BY e.source_id) cc ON cc.source_id = s.id
CROSS JOIN LATERAL (SELECT coalesce(cc.conflicts, 0) AS conflicts) c
CROSS JOIN LATERAL (SELECT count(*) AS possible_double_purchases FROM hookfast_data.airalo_orders a
    WHERE a.source_id = s.id AND cardinality(a.conflicts) > 0
        AND a.received_at > statement_timestamp() - interval '7 days'
        AND EXISTS (SELECT FROM unnest(a.conflicts) c
            WHERE NOT EXISTS (SELECT FROM hookfast_data.acknowledgements k WHERE k.event_id = c))) d
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.unknown_why IS NULL AND e.expected_by <= statement_timestamp()) AS overdue,
        count(*) FILTER (WHERE e.unknown_why IS NOT NULL) AS unknown
    FROM hookfast_data.airalo_expected e
    WHERE e.source_id = s.id AND e.check_at IS NOT NULL
        AND (e.unknown_why IS NOT NULL OR e.expected_by <= statement_timestamp())
        AND NOT EXISTS (SELECT FROM hookfast_data.airalo_orders a
            WHERE a.source_id = e.source_id AND a.request_id = e.request_id)
        AND (e.request_id IS NOT NULL OR NOT EXISTS (SELECT FROM hookfast_data.airalo_orders a
            WHERE a.source_id = e.source_id AND a.description = e.description))) o;
COMMENT ON VIEW hookfast.order_health IS
    'One row per source: unacknowledged conflicts and possible double purchases of the last seven days, and the '
    'orders that are overdue or unknown now';
