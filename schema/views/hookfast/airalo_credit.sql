CREATE OR REPLACE VIEW hookfast.airalo_credit AS
SELECT
    s.name AS source,
    c.threshold,
    c.remaining,
    c.message,
    c.event_id,
    c.received_at
FROM hookfast_data.airalo_credit c JOIN hookfast_data.sources s ON s.id = c.source_id;
COMMENT ON VIEW hookfast.airalo_credit IS
    'The last credit notification of each account: percent of the limit used, and remaining credit';
