-- Which programs may run on the two schemas, and the settings of this database. The program creates the schemas
-- themselves (src/store/migrate/numbered.rs), since a database administrator may have done so before.

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
INSERT INTO hookfast_data.compatibility (schema_version, oldest_program) VALUES (2, 1);

-- Only migrate writes to these two.
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
    'The builds that have applied their functions and views: each does so once, or two builds of one version would '
    'replace each other''s forever';
COMMENT ON COLUMN hookfast_data.schema_builds.id IS 'The highest of a version is the build whose objects are in place';
COMMENT ON COLUMN hookfast_data.schema_builds.schema_version IS 'The version of the schema it was built for';
COMMENT ON COLUMN hookfast_data.schema_builds.hash IS 'SHA-256 of all its functions and views, in hex';
COMMENT ON COLUMN hookfast_data.schema_builds.applied_at IS 'When it applied them';

-- A crash of the server empties an unlogged table, a clean restart does not. Claims commit asynchronously, so a
-- worker that finds another token than the one it knows has to drop what it claimed (see docs/adr/0003).
CREATE UNLOGGED TABLE hookfast_data.server_epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    token uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE hookfast_data.server_epoch IS 'A token that does not outlive a crash or a failover of the server';
COMMENT ON COLUMN hookfast_data.server_epoch.only_row IS 'There is one row, or none after a crash';
COMMENT ON COLUMN hookfast_data.server_epoch.token IS 'What the workers compare';

CREATE TABLE hookfast_data.settings (
    name text PRIMARY KEY CHECK (name IN ('reader_role', 'operator_role')),
    value text NOT NULL
);
COMMENT ON TABLE hookfast_data.settings IS 'What the database has to know of the configuration';
COMMENT ON COLUMN hookfast_data.settings.name IS 'reader_role or operator_role';
COMMENT ON COLUMN hookfast_data.settings.value IS 'Its value';
