CREATE OR REPLACE VIEW hookfast.news AS
SELECT
    e.event_id,
    e.type,
    e.received_at,
    n.says,
    e.payload
FROM hookfast.events e JOIN hookfast_data.news_types n ON n.type = e.type
WHERE e.origin = 'hookfast';
COMMENT ON VIEW hookfast.news IS
    'Hookfast''s own events: what an operator should know. Subscribe a handler to hookfast.* to be told';
