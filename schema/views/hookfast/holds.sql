CREATE OR REPLACE VIEW hookfast.holds AS
SELECT
    h.event_id,
    h.why,
    h.held_by,
    h.held_at
FROM hookfast_data.holds h;
COMMENT ON VIEW hookfast.holds IS 'Events that retention leaves alone because an operator said so';
