-- Requests that failed verification, and what leaves no row of its own.

CREATE TABLE hookfast_data.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id smallint NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    reason text NOT NULL,
    count bigint NOT NULL DEFAULT 1 CHECK (count > 0),
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic text,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    UNIQUE (source_id, digest)
);
COMMENT ON TABLE hookfast_data.quarantine IS 'Requests that failed verification, kept as evidence, bounded per source';
COMMENT ON COLUMN hookfast_data.quarantine.id IS 'In order of arrival: the oldest leaves first';
COMMENT ON COLUMN hookfast_data.quarantine.source_id IS 'The source it claimed to be of';
COMMENT ON COLUMN hookfast_data.quarantine.digest IS 'SHA-256 of the reason, the signature and the body: identical requests are one row with a count';
COMMENT ON COLUMN hookfast_data.quarantine.reason IS 'missing_signature, malformed_signature or wrong_signature';
COMMENT ON COLUMN hookfast_data.quarantine.count IS 'How many identical ones came';
COMMENT ON COLUMN hookfast_data.quarantine.first_at IS 'When the first came';
COMMENT ON COLUMN hookfast_data.quarantine.last_at IS 'When the last came';
COMMENT ON COLUMN hookfast_data.quarantine.topic IS 'The last part of the URL';
COMMENT ON COLUMN hookfast_data.quarantine.headers IS 'The first one''s headers';
COMMENT ON COLUMN hookfast_data.quarantine.body IS 'The body exactly as received';

CREATE TABLE hookfast_data.rollups (
    minute timestamptz NOT NULL,
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (minute, subject, counter)
);
COMMENT ON TABLE hookfast_data.rollups IS 'Counts of what leaves no row of its own; each process adds its own every few seconds';
COMMENT ON COLUMN hookfast_data.rollups.minute IS 'The minute they were added in';
COMMENT ON COLUMN hookfast_data.rollups.subject IS 'source:NAME, handler:NAME or worker';
COMMENT ON COLUMN hookfast_data.rollups.counter IS 'What was counted';
COMMENT ON COLUMN hookfast_data.rollups.value IS 'How many';
