-- hookfast: abandon
-- A worker frees what it holds under its own old lease, without counting anything as lost.
-- $1 the lease
WITH picked AS MATERIALIZED (
    SELECT o.ctid AS tid FROM hookfast_data.outbox o WHERE o.locked_by = $1::bigint FOR UPDATE SKIP LOCKED
)
UPDATE hookfast_data.outbox o SET locked_by = NULL, due_at = clock_timestamp() FROM picked p WHERE o.ctid = p.tid
