CREATE OR REPLACE VIEW hookfast.retention AS
SELECT
    r.class,
    r.keep,
    r.announced_at
FROM hookfast_data.retention r;
COMMENT ON VIEW hookfast.retention IS
    'How long what is kept: null is for ever. hookfast.retention_preview() says what would go';
