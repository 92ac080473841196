-- hookfast: release unknown
-- Frees what a worker holds by the table but does not know of: a claim whose answer was lost.
-- $1 the lease, $2 the handler, $3 the deliveries it knows of
WITH picked AS MATERIALIZED (
    SELECT o.ctid AS tid FROM hookfast_data.outbox o
    WHERE o.locked_by = $1::bigint AND o.handler_id = $2::smallint AND NOT o.id = ANY ($3::bigint[])
    FOR UPDATE SKIP LOCKED
)
UPDATE hookfast_data.outbox o SET locked_by = NULL, due_at = clock_timestamp() FROM picked p WHERE o.ctid = p.tid
