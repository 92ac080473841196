-- The types of the public functions.

CREATE TYPE hookfast.event AS (
    event_id uuid,
    source text,
    type text,
    topic text,
    origin text,
    received_at timestamptz,
    idempotency_key text,
    conflicts_with uuid,
    headers jsonb,
    payload jsonb,
    body bytea,
    delivery_id bigint,
    attempt_number integer
);
COMMENT ON TYPE hookfast.event IS
    'The argument of a sql handler: an event, and the delivery and attempt number. payload is null if the body is '
    'not JSON that Postgres can hold';
