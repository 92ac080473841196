CREATE OR REPLACE VIEW hookfast.storage AS
WITH tables AS MATERIALIZED (
    SELECT
        coalesce(p.relname, c.relname) AS name,
        c.oid,
        p.oid IS NOT NULL AS is_day,
        pg_catalog.pg_total_relation_size(c.oid) AS bytes,
        greatest(c.reltuples, 0)::bigint AS rows,
        coalesce(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead_rows,
        CASE WHEN p.oid IS NOT NULL THEN to_date(right(c.relname, 8), 'YYYYMMDD') END AS day
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'hookfast_data'
    LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
    WHERE c.relkind = 'r'
)
SELECT
    t.name::text AS "table",
    count(*) FILTER (WHERE t.is_day) AS days,
    min(t.day) AS oldest_day,
    max(t.day) AS newest_day,
    sum(t.rows)::bigint AS estimated_rows,
    sum(t.dead_rows)::bigint AS dead_rows,
    sum(t.bytes)::bigint AS bytes,
    pg_catalog.pg_size_pretty(sum(t.bytes)) AS size,
    (avg(t.bytes) FILTER (WHERE t.day < current_date AND t.day >= current_date - 7))::bigint AS bytes_a_day,
    s.age AS oldest_snapshot_age,
    s.owner AS oldest_snapshot_holder
FROM tables t LEFT JOIN hookfast_data.oldest_snapshot() s ON true
GROUP BY t.name, s.age, s.owner;
COMMENT ON VIEW hookfast.storage IS
    'One row per table with all its partitions: size, dead rows, bytes per day over the last seven whole days, and '
    'the holder of the oldest snapshot, which prevents the removal of dead rows';
