-- A killed process counts for 20 seconds, a client for as long as its lease lasts.
CREATE OR REPLACE FUNCTION hookfast_data.served_by(handler smallint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.message FROM (
        SELECT 1 AS rank, 'the process ' || p.owner || ' has it in its configuration' AS message
        FROM hookfast_data.processes p JOIN hookfast_data.handlers h ON h.name = ANY (p.handlers)
        WHERE h.id = served_by.handler AND p.seen_at > clock_timestamp() - interval '20 seconds'
        UNION ALL
        SELECT 2, 'the worker ' || l.owner || ' serves it' FROM hookfast_data.leases l
        WHERE l.kind = 'worker' AND l.handlers @> ARRAY[served_by.handler] AND l.expires_at > clock_timestamp()
        UNION ALL
        SELECT 3, 'the client ' || l.owner || ' holds deliveries of it until ' || l.expires_at::timestamptz(0)
        FROM hookfast_data.leases l
        WHERE l.kind = 'pull' AND l.handlers @> ARRAY[served_by.handler] AND l.expires_at > clock_timestamp()
            AND EXISTS (SELECT FROM unnest(l.deliveries) AS d (id) JOIN hookfast_data.outbox o
                ON o.handler_id = served_by.handler AND o.id = d.id AND o.lease_id = l.id)
    ) s ORDER BY s.rank, s.message LIMIT 1
$$;
COMMENT ON FUNCTION hookfast_data.served_by IS
    'The processes and clients that may still run deliveries of a handler; null if there are none';
REVOKE ALL ON FUNCTION hookfast_data.served_by FROM PUBLIC;
