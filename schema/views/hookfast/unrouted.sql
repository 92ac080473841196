-- The newest thousand events of the last hour are enough to show a mistake, and the bound holds at any rate of events.
CREATE OR REPLACE VIEW hookfast.unrouted AS
WITH newest AS MATERIALIZED (
    SELECT
        e.source_id,
        e.type,
        e.origin
    FROM hookfast_data.events e
    WHERE e.id >= hookfast.event_id_at(statement_timestamp() - interval '1 hour')
    ORDER BY e.id DESC LIMIT 1000
),
counted AS (
    SELECT
        n.source_id,
        n.type,
        count(*) AS events,
        sum(count(*)) OVER (PARTITION BY n.source_id)::bigint AS of_events
    FROM newest n WHERE n.origin <> 'hookfast' GROUP BY n.source_id, n.type
)
SELECT
    s.name AS source,
    c.type,
    c.events,
    c.of_events
FROM counted c JOIN hookfast_data.sources s ON s.id = c.source_id
WHERE NOT EXISTS (SELECT FROM hookfast_data.handlers h
    WHERE h.retired_at IS NULL AND hookfast_data.subscribes(h.types, h.sources, s.name, c.type)
        AND (h.kind <> 'airalo' OR s.kind = 'airalo'));
COMMENT ON VIEW hookfast.unrouted IS
    'The types that no handler subscribes to, among the newest thousand events of the last hour';
