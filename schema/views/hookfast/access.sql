CREATE OR REPLACE VIEW hookfast.access AS
SELECT
    a.id AS access_id,
    p.rolname::text AS person,
    r.rolname::text AS role,
    CASE WHEN a.ended_at IS NOT NULL THEN 'ended'
        WHEN a.redeemed_at IS NULL AND a.ticket_expires_at > statement_timestamp() THEN 'ticket'
        WHEN a.redeemed_at IS NULL THEN 'expired'
        WHEN a.expires_at > statement_timestamp() THEN 'session'
        ELSE 'expired' END AS state,
    a.issued_at,
    a.redeemed_at,
    a.seen_at,
    a.acts_until,
    coalesce(a.expires_at, a.ticket_expires_at) AS expires_at,
    a.ended_at,
    a.ended_because
FROM hookfast_data.access a
LEFT JOIN pg_catalog.pg_roles p ON p.oid = a.person_oid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.role_oid
WHERE (SELECT hookfast_data.can_see_secrets(current_user)) OR p.rolname = (SELECT hookfast_data.caller());
COMMENT ON VIEW hookfast.access IS
    'Tickets and sessions of the console. Readers see only their own. hookfast.revoke_access ends one';
