-- Events, and the keys that make two requests the same event.

CREATE TABLE hookfast_data.events (
    id uuid NOT NULL,
    source_id smallint NOT NULL,
    subscription_version integer NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    conflicts_with uuid,
    type text NOT NULL CHECK (type ~ '^[a-z0-9_]+(\.[a-z0-9_]+)*$'),
    origin text NOT NULL CHECK (origin IN ('webhook', 'enqueue', 'api', 'quarantine', 'hookfast')),
    idempotency_key text COLLATE "C" NOT NULL,
    topic text,
    verified_by text,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    erased_at timestamptz,
    traceparent text,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
-- On the parent tables alone. New partitions have these indexes from the start. Existing partitions get them one by
-- one, without blocking anyone (src/store/indexes.rs).
CREATE INDEX events_conflicts ON ONLY hookfast_data.events (id) WHERE conflicts_with IS NOT NULL;
CREATE INDEX events_conflicting ON ONLY hookfast_data.events (conflicts_with) WHERE conflicts_with IS NOT NULL;
CREATE INDEX events_alerts ON ONLY hookfast_data.events (id) WHERE origin = 'hookfast';
COMMENT ON TABLE hookfast_data.events IS
    'One row per event. Rows are appended, and updated only if an operator erases the payload';
COMMENT ON COLUMN hookfast_data.events.id IS
    'UUID v7 by the database''s clock: primary key and partition key, so a day is a range of ids';
COMMENT ON COLUMN hookfast_data.events.source_id IS 'The source that sent the event';
COMMENT ON COLUMN hookfast_data.events.subscription_version IS 'The subscription version that routed the event';
COMMENT ON COLUMN hookfast_data.events.received_at IS 'When it was stored, by the database''s clock';
COMMENT ON COLUMN hookfast_data.events.conflicts_with IS 'The earlier event that has the same key and other content';
COMMENT ON COLUMN hookfast_data.events.type IS 'The type, as the source classified the event';
COMMENT ON COLUMN hookfast_data.events.origin IS 'How the event arrived: webhook, enqueue, api, quarantine, hookfast';
COMMENT ON COLUMN hookfast_data.events.idempotency_key IS 'The key that makes two requests the same event';
COMMENT ON COLUMN hookfast_data.events.topic IS 'The last part of the URL; it is only a hint';
COMMENT ON COLUMN hookfast_data.events.verified_by IS 'The label of the secret that verified the request';
COMMENT ON COLUMN hookfast_data.events.headers IS 'The headers of the request; a value that is not UTF-8 is base64:…';
COMMENT ON COLUMN hookfast_data.events.body IS 'The body exactly as received';
COMMENT ON COLUMN hookfast_data.events.traceparent IS
    'The W3C trace context in which the event was stored; null if it was not traced';
COMMENT ON COLUMN hookfast_data.events.erased_at IS 'When an operator erased body and headers; null means never';

-- Narrow and unpartitioned, so that deduplication outlives the payload.
CREATE TABLE hookfast_data.idempotency_keys (
    source_id smallint NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 500),
    event_id uuid NOT NULL,
    fingerprint text COLLATE "C",
    expires_at timestamptz,
    PRIMARY KEY (source_id, key)
) WITH (fillfactor = 90);
COMMENT ON TABLE hookfast_data.idempotency_keys IS
    'The keys of events: one row, or two if the event can arrive in two ways';
COMMENT ON COLUMN hookfast_data.idempotency_keys.source_id IS 'The source of the key';
COMMENT ON COLUMN hookfast_data.idempotency_keys.key IS
    'Readable text; the key of a conflict ends in #conflict:{fingerprint}';
COMMENT ON COLUMN hookfast_data.idempotency_keys.event_id IS 'The event that has this key';
COMMENT ON COLUMN hookfast_data.idempotency_keys.fingerprint IS
    'The fingerprint of the content; null if a repetition is always a duplicate';
COMMENT ON COLUMN hookfast_data.idempotency_keys.expires_at IS 'When the key expires; null means never';
