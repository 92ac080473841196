CREATE OR REPLACE VIEW hookfast.airalo_sims AS
SELECT
    s.name AS source,
    m.iccid,
    o.request_id,
    o.description,
    m.order_id,
    m.conflict,
    m.sim_id,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.lpa
        WHEN m.lpa IS NOT NULL THEN '***' END AS lpa,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.matching_id
        WHEN m.matching_id IS NOT NULL THEN '***' END AS matching_id,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.qrcode
        WHEN m.qrcode IS NOT NULL THEN '***' END AS qrcode,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.qrcode_url
        WHEN m.qrcode_url IS NOT NULL THEN '***' END AS qrcode_url,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.direct_apple_installation_url
        WHEN m.direct_apple_installation_url IS NOT NULL THEN '***' END AS direct_apple_installation_url,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.confirmation_code
        WHEN m.confirmation_code IS NOT NULL THEN '***' END AS confirmation_code,
    CASE WHEN (SELECT hookfast_data.can_see_payload_secrets(current_user)) THEN m.msisdn
        WHEN m.msisdn IS NOT NULL THEN '***' END AS msisdn,
    m.apn_type,
    m.apn_value,
    m.is_roaming,
    m.event_id,
    m.received_at
FROM hookfast_data.airalo_sims m JOIN hookfast_data.sources s ON s.id = m.source_id
    JOIN hookfast_data.airalo_orders o ON o.id = m.order_row AND o.source_id = m.source_id;
COMMENT ON VIEW hookfast.airalo_sims IS
    'The SIMs of completed orders. conflict is true if only another result of the same request contained the SIM. '
    'Only operators see installation data';
