-- Sources and handlers: the small ids in hot rows, and the tables that routing joins.

CREATE TABLE hookfast_data.subscription_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.subscription_version IS
    'The version of the subscriptions. An event records the version that routed it';
COMMENT ON COLUMN hookfast_data.subscription_version.only_row IS 'Always true: the table has one row';
COMMENT ON COLUMN hookfast_data.subscription_version.version IS 'Rises with every change of a subscription';
COMMENT ON COLUMN hookfast_data.subscription_version.changed_at IS 'When it last rose';
INSERT INTO hookfast_data.subscription_version (version) VALUES (0);

CREATE TABLE hookfast_data.sources (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    kind text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    secret_fields text[] NOT NULL DEFAULT '{}',
    search_fields text[] NOT NULL DEFAULT '{}',
    configured_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.sources IS 'Senders of webhooks';
COMMENT ON COLUMN hookfast_data.sources.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.sources.name IS 'The name, which is also part of the URL';
COMMENT ON COLUMN hookfast_data.sources.kind IS 'How its webhooks are verified, classified and identified';
COMMENT ON COLUMN hookfast_data.sources.registered_at IS 'When the source was first registered';
COMMENT ON COLUMN hookfast_data.sources.secret_fields IS
    'Secret members of the payload, at any depth and in lower case; readers see *** instead';
COMMENT ON COLUMN hookfast_data.sources.search_fields IS
    'Members of the payload, at any depth and in lower case, whose values find the event';
COMMENT ON COLUMN hookfast_data.sources.configured_at IS
    'When a live process last had the source in its configuration, to the minute';

CREATE TABLE hookfast_data.handlers (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    kind text NOT NULL,
    types text[] NOT NULL CHECK (cardinality(types) > 0),
    sources text[] CHECK (cardinality(sources) > 0),
    max_attempts smallint NOT NULL CHECK (max_attempts BETWEEN 1 AND 1000),
    config_version bigint NOT NULL DEFAULT 0,
    registered_version integer NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_at timestamptz,
    paused_why text,
    paused_as_gone boolean NOT NULL DEFAULT false,
    paused_by_status smallint,
    retry jsonb NOT NULL DEFAULT
        '{"delays_ms": [5000, 30000, 120000, 600000, 1800000, 3600000, 7200000, 14400000, 21600000, 43200000, '
            '64800000]}',
    ordered_by text[] CHECK (cardinality(ordered_by) > 0),
    on_dead text NOT NULL DEFAULT 'skip' CHECK (on_dead IN ('skip', 'block')),
    filter text CHECK (filter IS NULL OR filter::jsonpath IS NOT NULL),
    breaker_opened_at timestamptz,
    breaker_until timestamptz,
    behind_after interval NOT NULL DEFAULT interval '5 minutes' CHECK (behind_after > interval '0'),
    retired_at timestamptz,
    retired_why text,
    retired_pending text CHECK (retired_pending IN ('discard', 'keep')),
    CHECK ((paused_at IS NULL) = (paused_why IS NULL)),
    CHECK ((breaker_opened_at IS NULL) = (breaker_until IS NULL)),
    CHECK (num_nulls(retired_at, retired_why, retired_pending) IN (0, 3)),
    CHECK (retired_at IS NULL OR paused_at IS NULL AND breaker_opened_at IS NULL)
);
COMMENT ON TABLE hookfast_data.handlers IS 'Handlers of events and their subscriptions';
COMMENT ON COLUMN hookfast_data.handlers.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.handlers.name IS 'The name';
COMMENT ON COLUMN hookfast_data.handlers.kind IS 'http, sql, airalo, pull, rust or transactional';
COMMENT ON COLUMN hookfast_data.handlers.types IS 'The type patterns it subscribes to';
COMMENT ON COLUMN hookfast_data.handlers.sources IS 'The sources it subscribes to; null means all';
COMMENT ON COLUMN hookfast_data.handlers.max_attempts IS 'The maximum number of attempts of a delivery';
COMMENT ON COLUMN hookfast_data.handlers.config_version IS
    'The version that the configuration gives itself; an older configuration changes nothing';
COMMENT ON COLUMN hookfast_data.handlers.registered_version IS 'The subscription version of the current subscription';
COMMENT ON COLUMN hookfast_data.handlers.registered_at IS 'When the current subscription was registered';
COMMENT ON COLUMN hookfast_data.handlers.paused_at IS 'Since when the handler is paused; webhooks are still stored';
COMMENT ON COLUMN hookfast_data.handlers.paused_why IS 'The reason of the pause';
COMMENT ON COLUMN hookfast_data.handlers.paused_as_gone IS
    'Whether a worker paused the handler because it reported that it is gone, and not an operator';
COMMENT ON COLUMN hookfast_data.handlers.paused_by_status IS
    'The HTTP status with which the receiver reported that it is gone; null if it has none';
COMMENT ON COLUMN hookfast_data.handlers.retry IS
    'The retry policy: {"delays_ms": […]} or {"base_ms", "max_ms", "max_attempts"}';
COMMENT ON COLUMN hookfast_data.handlers.ordered_by IS
    'Path of member names to the ordering key in the payload; null if the handler is not ordered';
COMMENT ON COLUMN hookfast_data.handlers.on_dead IS
    'What a dead letter does to its ordering key: skip (the next delivery is due) or block (the key waits)';
COMMENT ON COLUMN hookfast_data.handlers.filter IS
    'A jsonpath predicate on the payload. Events that do not match are settled without running the handler. Null '
    'means everything';
COMMENT ON COLUMN hookfast_data.handlers.breaker_opened_at IS
    'Since when the circuit breaker of a process is open and the deliveries wait; null if it is closed. Written by '
    'the process that wrote last';
COMMENT ON COLUMN hookfast_data.handlers.breaker_until IS 'When that process sends one delivery as a probe';
COMMENT ON COLUMN hookfast_data.handlers.behind_after IS
    'The handler is behind if a delivery has been ready for longer than this';
COMMENT ON COLUMN hookfast_data.handlers.retired_at IS
    'Since when its subscription has ended: it gets no new deliveries and runs none. A process that has it in its '
    'configuration ends the retirement';
COMMENT ON COLUMN hookfast_data.handlers.retired_why IS 'The reason of the retirement';
COMMENT ON COLUMN hookfast_data.handlers.retired_pending IS
    'What happens to its pending deliveries: discard, or keep (until their events expire)';
