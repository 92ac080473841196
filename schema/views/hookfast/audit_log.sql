CREATE OR REPLACE VIEW hookfast.audit_log AS
SELECT
    l.id AS log_id,
    l.at,
    l.actor,
    l.action,
    l.target,
    CASE WHEN (SELECT hookfast_data.can_see_secrets(current_user)) THEN l.details END AS details
FROM hookfast_data.audit_log l;
COMMENT ON VIEW hookfast.audit_log IS
    'What operators, and processes with the role worker, changed. details are for operators: a handler''s answer '
    'may be the reason of a pause';
