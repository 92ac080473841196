-- The registry: small ids for hot rows, and what the routing joins with.

CREATE TABLE hookfast_data.registry (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.registry IS 'The version of the subscriptions: an event records the one that routed it';
COMMENT ON COLUMN hookfast_data.registry.only_row IS 'There is one row';
COMMENT ON COLUMN hookfast_data.registry.version IS 'Rises with every change of a subscription';
COMMENT ON COLUMN hookfast_data.registry.changed_at IS 'When it last rose';
INSERT INTO hookfast_data.registry (version) VALUES (0);

CREATE TABLE hookfast_data.sources (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    kind text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.sources IS 'Who sends';
COMMENT ON COLUMN hookfast_data.sources.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.sources.name IS 'The name, also the part of the URL';
COMMENT ON COLUMN hookfast_data.sources.kind IS 'How it is verified, classified and identified';
COMMENT ON COLUMN hookfast_data.sources.registered_at IS 'When it was first seen';

CREATE TABLE hookfast_data.handlers (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    kind text NOT NULL,
    types text[] NOT NULL CHECK (cardinality(types) > 0),
    sources text[] CHECK (cardinality(sources) > 0),
    tries smallint NOT NULL CHECK (tries BETWEEN 1 AND 1000),
    config_version bigint NOT NULL DEFAULT 0,
    registered_version integer NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_at timestamptz,
    paused_why text,
    CHECK ((paused_at IS NULL) = (paused_why IS NULL))
);
COMMENT ON TABLE hookfast_data.handlers IS 'Who processes, and what it subscribed to';
COMMENT ON COLUMN hookfast_data.handlers.id IS 'The small id that hot rows carry';
COMMENT ON COLUMN hookfast_data.handlers.name IS 'The name';
COMMENT ON COLUMN hookfast_data.handlers.kind IS 'http, rust or transactional';
COMMENT ON COLUMN hookfast_data.handlers.types IS 'The type patterns it subscribes to';
COMMENT ON COLUMN hookfast_data.handlers.sources IS 'The sources it subscribes to; null is all';
COMMENT ON COLUMN hookfast_data.handlers.tries IS 'How many tries a delivery gets';
COMMENT ON COLUMN hookfast_data.handlers.config_version IS 'The version the configuration gave itself; an older one changes nothing';
COMMENT ON COLUMN hookfast_data.handlers.registered_version IS 'The registry''s version that brought the present subscription';
COMMENT ON COLUMN hookfast_data.handlers.registered_at IS 'When the present subscription came';
COMMENT ON COLUMN hookfast_data.handlers.paused_at IS 'Since when nothing is dispatched to it; intake goes on';
COMMENT ON COLUMN hookfast_data.handlers.paused_why IS 'Why';
