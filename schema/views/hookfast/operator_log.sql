CREATE OR REPLACE VIEW hookfast.operator_log AS
SELECT
    l.id AS log_id,
    l.at,
    l.who,
    l.what,
    l.subject,
    CASE WHEN (SELECT hookfast_data.unmasked(current_user)) THEN l.details END AS details
FROM hookfast_data.operator_log l;
COMMENT ON VIEW hookfast.operator_log IS
    'What operators, and processes with the role worker, changed. details are for operators: a handler''s answer '
    'may be the reason of a pause';
