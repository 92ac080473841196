CREATE OR REPLACE VIEW hookfast.audit_log AS
SELECT
    l.id AS log_id,
    l.at,
    l.actor,
    l.action,
    l.target,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN l.details END AS details,
    l.on_behalf_of
FROM hookfast_data.audit_log l;
COMMENT ON VIEW hookfast.audit_log IS
    'Changes by operators and by processes with the role worker. Only operators see details: a pause may quote a '
    'handler''s response';
