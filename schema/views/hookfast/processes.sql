CREATE OR REPLACE VIEW hookfast.processes AS
SELECT
    p.owner,
    p.roles,
    p.version,
    p.started_at,
    p.seen_at,
    p.seen_at > statement_timestamp() - interval '20 seconds' AS alive,
    p.not_ready,
    p.handlers,
    p.slots,
    p.sources
FROM hookfast_data.processes p WHERE p.seen_at > statement_timestamp() - interval '1 day';
COMMENT ON VIEW hookfast.processes IS
    'The processes of the last day with their roles, and whether they are alive and ready';
