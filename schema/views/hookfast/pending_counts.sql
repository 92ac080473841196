-- Apart from hookfast.handler_health, which monitoring reads as a whole and often.
CREATE OR REPLACE VIEW hookfast.pending_counts AS
SELECT
    h.name AS handler,
    hookfast_data.running_up_to(h.id, 10000) AS running,
    hookfast_data.waiting_up_to(h.id, 10000) AS waiting,
    hookfast_data.later_up_to(h.id, 'infinity', 10000) AS later,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '5 minutes', 10000) AS due_in_5_minutes,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '30 minutes', 10000) AS due_in_30_minutes,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '120 minutes', 10000) AS due_in_120_minutes
FROM hookfast_data.handlers h WHERE h.retired_at IS NULL;
COMMENT ON VIEW hookfast.pending_counts IS
    'One row per handler that is not retired: how many of its deliveries are running, waiting for their key or due '
    'later, each counted up to 10000. The cost does not grow with the backlog, which hookfast.backlog counts whole';
