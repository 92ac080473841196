-- The program versions that may run on the two schemas, and the settings of this database. The program creates the
-- schemas themselves (src/store/migrate/numbered.rs), since a database administrator may have created them before.

COMMENT ON SCHEMA hookfast IS 'Hookfast: the public, versioned views and functions. Read and call these.';
COMMENT ON SCHEMA hookfast_data IS 'Hookfast: the tables, owned by the service. Not a public interface.';

CREATE TABLE hookfast_data.compatibility (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version integer NOT NULL,
    oldest_program integer NOT NULL CHECK (oldest_program <= schema_version)
);
COMMENT ON TABLE hookfast_data.compatibility IS
    'The program versions that may run on this schema: the previous release always starts';
COMMENT ON COLUMN hookfast_data.compatibility.only_row IS 'Always true: the table has one row';
COMMENT ON COLUMN hookfast_data.compatibility.schema_version IS 'The version of this schema';
COMMENT ON COLUMN hookfast_data.compatibility.oldest_program IS
    'The oldest program version that may still run on this schema';
INSERT INTO hookfast_data.compatibility (schema_version, oldest_program) VALUES (2, 1);

-- Only migrate writes to the next two tables.
CREATE TABLE hookfast_data.schema_objects (
    name text PRIMARY KEY,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.schema_objects IS 'The functions and views as they were last applied from schema/';
COMMENT ON COLUMN hookfast_data.schema_objects.name IS 'The qualified name';
COMMENT ON COLUMN hookfast_data.schema_objects.hash IS 'SHA-256 of its file, in hex';
COMMENT ON COLUMN hookfast_data.schema_objects.applied_at IS 'When it was last applied';

CREATE TABLE hookfast_data.schema_builds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_version integer NOT NULL,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (schema_version, hash)
);
COMMENT ON TABLE hookfast_data.schema_builds IS
    'The builds that have applied their functions and views. Each does so once; otherwise two builds of one version '
    'would replace each other''s objects forever';
COMMENT ON COLUMN hookfast_data.schema_builds.id IS
    'The build with the highest id of a version is the one whose objects are in place';
COMMENT ON COLUMN hookfast_data.schema_builds.schema_version IS 'The version of the schema that the build was made for';
COMMENT ON COLUMN hookfast_data.schema_builds.hash IS 'SHA-256 of all functions and views of the build, in hex';
COMMENT ON COLUMN hookfast_data.schema_builds.applied_at IS 'When the build applied them';

-- A crash of the server empties an unlogged table, a clean restart does not. Claims commit asynchronously, so a worker
-- that reads another token than before has to drop its claims (see docs/adr/0003).
CREATE UNLOGGED TABLE hookfast_data.server_epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    token uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE hookfast_data.server_epoch IS 'A token that a crash or a failover of the server removes';
COMMENT ON COLUMN hookfast_data.server_epoch.only_row IS 'Always true: the table has one row, or none after a crash';
COMMENT ON COLUMN hookfast_data.server_epoch.token IS 'The token that workers compare';

CREATE TABLE hookfast_data.settings (
    name text PRIMARY KEY CHECK (name IN ('reader_role', 'support_role', 'operator_role', 'console_role')),
    value text NOT NULL
);
COMMENT ON TABLE hookfast_data.settings IS 'Configuration values that functions of the database need';
COMMENT ON COLUMN hookfast_data.settings.name IS 'reader_role, support_role, operator_role or console_role';
COMMENT ON COLUMN hookfast_data.settings.value IS 'The value of the setting';
