CREATE OR REPLACE VIEW hookfast.holds AS
SELECT
    h.event_id,
    CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN h.why ELSE '***' END AS why,
    h.held_by,
    h.held_at
FROM hookfast_data.holds h;
COMMENT ON VIEW hookfast.holds IS 'Events that retention leaves alone because an operator said so';
