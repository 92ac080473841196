-- The two schemas, what says which program may run on them, and the functions everything else uses.
-- Schema hookfast_data is made by the migrator, since the record of the migrations lives in it.

CREATE SCHEMA IF NOT EXISTS hookfast;
COMMENT ON SCHEMA hookfast IS 'Hookfast: the public, versioned views and functions. Read and call these.';
COMMENT ON SCHEMA hookfast_data IS 'Hookfast: the tables, owned by the service. Not a public interface.';

CREATE TABLE hookfast_data.compatibility (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version integer NOT NULL,
    oldest_program integer NOT NULL CHECK (oldest_program <= schema_version)
);
COMMENT ON TABLE hookfast_data.compatibility IS 'Which programs may run on this schema: one release back always starts';
COMMENT ON COLUMN hookfast_data.compatibility.only_row IS 'There is one row';
COMMENT ON COLUMN hookfast_data.compatibility.schema_version IS 'The version of this schema';
COMMENT ON COLUMN hookfast_data.compatibility.oldest_program IS 'The oldest program version that may still run on it';
INSERT INTO hookfast_data.compatibility (schema_version, oldest_program) VALUES (1, 1);

-- A crash of the server empties an unlogged table, a clean restart does not. Claims commit asynchronously, so a
-- worker that finds another token than the one it knows has to drop what it claimed (see docs/adr/0003).
CREATE UNLOGGED TABLE hookfast_data.server_epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    token uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE hookfast_data.server_epoch IS 'A token that does not outlive a crash or a failover of the server';
COMMENT ON COLUMN hookfast_data.server_epoch.only_row IS 'There is one row, or none after a crash';
COMMENT ON COLUMN hookfast_data.server_epoch.token IS 'What the workers compare';

CREATE TABLE hookfast_data.operator_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL DEFAULT session_user,
    what text NOT NULL,
    subject text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE hookfast_data.operator_log IS 'What operators, and processes with the role worker, changed';
COMMENT ON COLUMN hookfast_data.operator_log.id IS 'In order of insertion';
COMMENT ON COLUMN hookfast_data.operator_log.at IS 'When';
COMMENT ON COLUMN hookfast_data.operator_log.who IS 'The database user that asked for it';
COMMENT ON COLUMN hookfast_data.operator_log.what IS 'The action, as handler.registered';
COMMENT ON COLUMN hookfast_data.operator_log.subject IS 'What it was done to, as a handler''s name';
COMMENT ON COLUMN hookfast_data.operator_log.details IS 'Why, and what changed';

CREATE FUNCTION hookfast_data.type_matches(pattern text, type text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pattern = '*'
        OR type = pattern
        OR (right(pattern, 2) = '.*' AND starts_with(type, left(pattern, -1)) AND length(type) >= length(pattern));
COMMENT ON FUNCTION hookfast_data.type_matches IS 'The one rule of type patterns: *, an exact type, or prefix.* (one or more further segments)';

CREATE FUNCTION hookfast_data.id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
COMMENT ON FUNCTION hookfast_data.id_at IS 'The smallest event id of a moment: a time is a bound on ids';

CREATE FUNCTION hookfast_data.id_time(id uuid) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0);
COMMENT ON FUNCTION hookfast_data.id_time IS 'The moment in an event id, to the millisecond';

-- An exception block cannot run in a parallel worker before Postgres 17: restricted, not safe.
CREATE FUNCTION hookfast_data.as_jsonb(body bytea) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED AS $$
BEGIN
    RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION hookfast_data.as_jsonb IS 'A body as jsonb, or null where Postgres cannot hold it as such';
