-- Requests that failed verification.

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
    responded_ok boolean NOT NULL DEFAULT false,
    whole_bytes bigint,
    body_sha256 bytea CHECK (octet_length(body_sha256) = 32),
    requested_action text CHECK (requested_action IN ('reverify', 'approve')),
    requested_by text,
    last_result text,
    UNIQUE (source_id, digest),
    CHECK ((requested_action IS NULL) = (requested_by IS NULL)),
    CHECK ((whole_bytes IS NULL) = (body_sha256 IS NULL)),
    CHECK (whole_bytes IS NULL OR NOT responded_ok AND requested_action IS NULL)
);
COMMENT ON TABLE hookfast_data.quarantine IS
    'Requests that failed verification, kept as evidence and bounded per source';
COMMENT ON COLUMN hookfast_data.quarantine.id IS 'The id, in order of arrival';
COMMENT ON COLUMN hookfast_data.quarantine.source_id IS 'The source in the request''s URL';
COMMENT ON COLUMN hookfast_data.quarantine.digest IS
    'SHA-256 of the reason, the signature and the body: identical requests are one row with a count';
COMMENT ON COLUMN hookfast_data.quarantine.reason IS
    'missing_signature, malformed_signature, unsupported_signature, stale_signature or wrong_signature';
COMMENT ON COLUMN hookfast_data.quarantine.count IS 'How many identical requests arrived';
COMMENT ON COLUMN hookfast_data.quarantine.first_at IS 'When the first one arrived';
COMMENT ON COLUMN hookfast_data.quarantine.last_at IS 'When the last one arrived';
COMMENT ON COLUMN hookfast_data.quarantine.topic IS 'The last part of the URL';
COMMENT ON COLUMN hookfast_data.quarantine.headers IS 'The headers of the first request';
COMMENT ON COLUMN hookfast_data.quarantine.body IS 'The body exactly as received, or its beginning';
COMMENT ON COLUMN hookfast_data.quarantine.responded_ok IS
    'Whether the sender got 200 and will not send the request again. Such rows are never evicted and have their own '
    'bounds';
COMMENT ON COLUMN hookfast_data.quarantine.whole_bytes IS
    'The length of the whole body if body is an excerpt. Such a request cannot be verified again';
COMMENT ON COLUMN hookfast_data.quarantine.body_sha256 IS 'SHA-256 of the whole body if body is an excerpt';
COMMENT ON COLUMN hookfast_data.quarantine.requested_action IS
    'The action that an operator requested and an ingress has not done yet: reverify (with the current secrets) or '
    'approve (on the operator''s word)';
COMMENT ON COLUMN hookfast_data.quarantine.requested_by IS 'The operator who requested the action';
COMMENT ON COLUMN hookfast_data.quarantine.last_result IS
    'Why the last requested verification failed; null if none was requested';
