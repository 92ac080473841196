-- Not as lost: the worker itself calls this. Never waits for a row: one under a settling transaction is being settled.
CREATE OR REPLACE FUNCTION hookfast_data.release_held(lease bigint, handler smallint, known bigint[]) RETURNS bigint
    LANGUAGE sql SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, pg_temp AS $$
    WITH picked AS MATERIALIZED (
        SELECT o.ctid AS tid FROM hookfast_data.held(release_held.lease, release_held.handler) AS d (tid)
        JOIN hookfast_data.outbox o ON o.ctid = d.tid
        WHERE o.locked_by = release_held.lease AND o.id <> ALL (known) FOR UPDATE OF o SKIP LOCKED
    ),
    released AS (
        UPDATE hookfast_data.outbox o SET locked_by = NULL, due_at = clock_timestamp()
        FROM picked p WHERE o.ctid = p.tid RETURNING o.id
    )
    SELECT count(*) FROM released
$$;
COMMENT ON FUNCTION hookfast_data.release_held IS
    'Releases the deliveries of a handler that a worker holds and does not know of; answers with how many';
REVOKE ALL ON FUNCTION hookfast_data.release_held FROM PUBLIC;
