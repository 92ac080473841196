CREATE OR REPLACE VIEW hookfast.retention AS
SELECT
    r.class,
    r.keep,
    r.announced_at
FROM hookfast_data.retention r;
COMMENT ON VIEW hookfast.retention IS
    'How long each class of data is kept; null means forever. hookfast.retention_preview() reports what would be '
    'purged';
