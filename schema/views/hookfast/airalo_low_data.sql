CREATE OR REPLACE VIEW hookfast.airalo_low_data AS
SELECT
    s.name AS source,
    l.iccid,
    l.package,
    l.level,
    l.remaining_percentage,
    l.event_id,
    l.received_at
FROM hookfast_data.airalo_low_data l JOIN hookfast_data.sources s ON s.id = l.source_id;
COMMENT ON VIEW hookfast.airalo_low_data IS
    'The last data notification of each SIM''s package: 75 or 90 percent used, 3days or 1days until it ends';
