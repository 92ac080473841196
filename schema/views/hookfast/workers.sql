CREATE OR REPLACE VIEW hookfast.workers AS
SELECT
    l.owner,
    l.kind,
    CASE WHEN l.kind <> 'pull' OR (SELECT hookfast_data.can_see_secrets(current_user)) THEN l.id END AS lease_id,
    ARRAY(SELECT h.name FROM hookfast_data.handlers h WHERE h.id = ANY (l.handlers) ORDER BY h.name) AS handlers,
    l.registered_at,
    l.expires_at,
    l.expires_at > statement_timestamp() AS alive,
    coalesce(r.running, 0) AS running
FROM hookfast_data.leases l
LEFT JOIN (SELECT o.lease_id, count(*) AS running FROM hookfast_data.outbox o WHERE o.lease_id IS NOT NULL
    GROUP BY 1) r
    ON r.lease_id = l.id;
COMMENT ON VIEW hookfast.workers IS
    'Live and expired leases of workers and of pulling clients, and how many deliveries each holds';
