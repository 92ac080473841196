-- Sources and handlers: the small ids of hot rows, and what the routing joins with.

CREATE TABLE hookfast_data.subscription_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.subscription_version IS
    'The version of the subscriptions: an event records the one that routed it';
COMMENT ON COLUMN hookfast_data.subscription_version.only_row IS 'There is one row';
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
COMMENT ON TABLE hookfast_data.sources IS 'Who sends';
COMMENT ON COLUMN hookfast_data.sources.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.sources.name IS 'The name, also the part of the URL';
COMMENT ON COLUMN hookfast_data.sources.kind IS 'How it is verified, classified and identified';
COMMENT ON COLUMN hookfast_data.sources.registered_at IS 'When it was first seen';
COMMENT ON COLUMN hookfast_data.sources.secret_fields IS
    'Members of the payload, at any depth and in lower case, that readers do not see';
COMMENT ON COLUMN hookfast_data.sources.search_fields IS
    'Members of the payload, at any depth and in lower case, whose values find the event';
COMMENT ON COLUMN hookfast_data.sources.configured_at IS
    'When a live process last had it in its configuration, to the minute';

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
COMMENT ON TABLE hookfast_data.handlers IS 'Who processes, and what it subscribed to';
COMMENT ON COLUMN hookfast_data.handlers.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.handlers.name IS 'The name';
COMMENT ON COLUMN hookfast_data.handlers.kind IS 'http, sql, airalo, pull, rust or transactional';
COMMENT ON COLUMN hookfast_data.handlers.types IS 'The type patterns it subscribes to';
COMMENT ON COLUMN hookfast_data.handlers.sources IS 'The sources it subscribes to; null is all';
COMMENT ON COLUMN hookfast_data.handlers.max_attempts IS 'How many tries a delivery gets';
COMMENT ON COLUMN hookfast_data.handlers.config_version IS
    'The version the configuration gave itself; an older one changes nothing';
COMMENT ON COLUMN hookfast_data.handlers.registered_version IS
    'The registry''s version that brought the present subscription';
COMMENT ON COLUMN hookfast_data.handlers.registered_at IS 'When the present subscription came';
COMMENT ON COLUMN hookfast_data.handlers.paused_at IS 'Since when nothing is dispatched to it; intake goes on';
COMMENT ON COLUMN hookfast_data.handlers.paused_why IS 'Why';
COMMENT ON COLUMN hookfast_data.handlers.paused_by_status IS
    'The HTTP status with which its receiver reported that it is gone; null if an operator paused it';
COMMENT ON COLUMN hookfast_data.handlers.retry IS
    'The retry policy: {"delays_ms": […]} or {"base_ms", "max_ms", "max_attempts"}';
COMMENT ON COLUMN hookfast_data.handlers.ordered_by IS
    'Where in the payload the ordering key is, as a path of member names; null where order is not kept';
COMMENT ON COLUMN hookfast_data.handlers.on_dead IS
    'What a dead letter does to its ordering key: skip (the next delivery is due) or block (the key waits)';
COMMENT ON COLUMN hookfast_data.handlers.filter IS
    'A jsonpath predicate on the payload; what does not match is done without running the handler. Null is '
    'everything';
COMMENT ON COLUMN hookfast_data.handlers.breaker_opened_at IS
    'Since when a process has found the handler unavailable and lets its deliveries wait; null where none does. '
    'By the process that wrote last';
COMMENT ON COLUMN hookfast_data.handlers.breaker_until IS 'When that process tries it again with one delivery';
COMMENT ON COLUMN hookfast_data.handlers.behind_after IS
    'The handler is behind if a delivery has been ready for longer than this';
COMMENT ON COLUMN hookfast_data.handlers.retired_at IS
    'Since when its subscription has ended: it gets no new deliveries and runs none. A process whose configuration has '
    'it ends this';
COMMENT ON COLUMN hookfast_data.handlers.retired_why IS 'Why';
COMMENT ON COLUMN hookfast_data.handlers.retired_pending IS
    'What happens to its pending deliveries: discard, or keep (until their events expire)';
