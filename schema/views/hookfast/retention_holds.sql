CREATE OR REPLACE VIEW hookfast.retention_holds AS
SELECT
    h.event_id,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN h.why ELSE '***' END AS why,
    h.held_by,
    h.held_at
FROM hookfast_data.retention_holds h;
COMMENT ON VIEW hookfast.retention_holds IS 'Events that an operator keeps beyond their retention';
