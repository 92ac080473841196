CREATE OR REPLACE VIEW hookfast.counts AS
SELECT
    r.minute,
    split_part(r.subject, ':', 1) AS kind,
    nullif(substr(r.subject, strpos(r.subject || ':', ':') + 1), '') AS name,
    r.counter,
    r.value
FROM hookfast_data.rollups r;
COMMENT ON VIEW hookfast.counts IS
    'Counts by minute: what sources received (kind source) and what handlers did (kind handler). Each process adds its '
    'counts every few seconds';
