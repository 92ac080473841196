-- Apart from hookfast.handler_health, which monitoring reads as a whole and often.
CREATE OR REPLACE VIEW hookfast.pending_counts AS
SELECT
    h.name AS handler,
    hookfast_data.running_up_to(h.id, 10000) AS running,
    hookfast_data.waiting_up_to(h.id, 10000) AS waiting,
    hookfast_data.later_up_to(h.id, 'infinity', 10000) AS later,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '5 minutes', 10000) AS due_in_5_minutes,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '30 minutes', 10000) AS due_in_30_minutes,
    hookfast_data.later_up_to(h.id, statement_timestamp() + interval '120 minutes', 10000) AS due_in_120_minutes,
    s.slots,
    -- Claims take the deliveries that are due first, so those that run are among the first, and slots are few.
    -- Without slots the limit would be null, which is none.
    CASE WHEN s.slots IS NOT NULL
        THEN least(s.slots, hookfast_data.running_up_to(h.id, least(4 * s.slots + 100, 10000))) END AS busy
FROM hookfast_data.handlers h
CROSS JOIN LATERAL (SELECT sum(p.slots[array_position(p.handlers, h.name)]) AS slots FROM hookfast_data.processes p
    WHERE h.name = ANY (p.handlers) AND p.seen_at > statement_timestamp() - interval '20 seconds') s
WHERE h.retired_at IS NULL;
COMMENT ON VIEW hookfast.pending_counts IS
    'One row per handler that is not retired: how many of its deliveries are running, waiting for their key or due '
    'later, each counted up to 10000, and how many of the slots of its live processes are busy. The cost does not '
    'grow with the backlog, which hookfast.backlog counts whole';
