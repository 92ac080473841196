-- Replays, retention holds, retention, live processes, and the audit log.

CREATE TABLE hookfast_data.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL DEFAULT session_user,
    action text NOT NULL,
    target text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    on_behalf_of text
);
COMMENT ON TABLE hookfast_data.audit_log IS 'Changes by operators and by processes with the role worker';
COMMENT ON COLUMN hookfast_data.audit_log.id IS 'In order of insertion';
COMMENT ON COLUMN hookfast_data.audit_log.at IS 'When the change was made';
COMMENT ON COLUMN hookfast_data.audit_log.actor IS 'The database user who made the change';
COMMENT ON COLUMN hookfast_data.audit_log.action IS 'The action, such as handler.registered';
COMMENT ON COLUMN hookfast_data.audit_log.target IS 'The target of the action, such as a handler''s name';
COMMENT ON COLUMN hookfast_data.audit_log.details IS 'The reason and the details of the change';
COMMENT ON COLUMN hookfast_data.audit_log.on_behalf_of IS
    'The person whose request it was, as the actor''s program says: the console names its visitor';

CREATE TABLE hookfast_data.replays (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler_id smallint NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
    source text,
    type text,
    payload text CHECK (payload IS NULL OR payload::jsonpath IS NOT NULL),
    cursor_id uuid NOT NULL,
    end_id uuid NOT NULL,
    matching bigint NOT NULL,
    replayed bigint NOT NULL DEFAULT 0,
    per_second integer NOT NULL CHECK (per_second BETWEEN 1 AND 10000),
    new_webhook_id boolean NOT NULL,
    requested_by text NOT NULL,
    why text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_progress_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    waits_for xid8 NOT NULL DEFAULT pg_current_xact_id()
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.replays IS 'Replays of many events, one row each: jobs that continue after a restart';
COMMENT ON COLUMN hookfast_data.replays.id IS 'The id, in the order of the requests';
COMMENT ON COLUMN hookfast_data.replays.handler_id IS 'The handler to deliver to';
COMMENT ON COLUMN hookfast_data.replays.state IS 'running, paused, cancelled or done';
COMMENT ON COLUMN hookfast_data.replays.source IS 'Only events of this source; null means all';
COMMENT ON COLUMN hookfast_data.replays.type IS 'Only events of this type pattern; null means all';
COMMENT ON COLUMN hookfast_data.replays.payload IS
    'Only events whose payload matches this jsonpath predicate; null means all';
COMMENT ON COLUMN hookfast_data.replays.cursor_id IS 'The position: events after this one are still to be read';
COMMENT ON COLUMN hookfast_data.replays.end_id IS 'The end: no event with this id or a larger one';
COMMENT ON COLUMN hookfast_data.replays.matching IS 'How many events matched the filter when it began';
COMMENT ON COLUMN hookfast_data.replays.replayed IS 'How many deliveries it has created';
COMMENT ON COLUMN hookfast_data.replays.per_second IS 'How many deliveries it creates per second at most';
COMMENT ON COLUMN hookfast_data.replays.new_webhook_id IS 'Whether receivers get another webhook-id than the event''s';
COMMENT ON COLUMN hookfast_data.replays.requested_by IS 'The person who requested it: a database role';
COMMENT ON COLUMN hookfast_data.replays.why IS 'The reason';
COMMENT ON COLUMN hookfast_data.replays.requested_at IS 'When the replay was requested';
COMMENT ON COLUMN hookfast_data.replays.last_progress_at IS 'When the last step ran';
COMMENT ON COLUMN hookfast_data.replays.ended_at IS 'When it was done or was cancelled';
COMMENT ON COLUMN hookfast_data.replays.waits_for IS
    'It begins once every transaction with a smaller id has ended: one of them may store an event that it has to '
    'replay';

CREATE TABLE hookfast_data.retention_holds (
    event_id uuid PRIMARY KEY,
    why text NOT NULL,
    held_by text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.retention_holds IS 'Events that an operator keeps beyond their retention';
COMMENT ON COLUMN hookfast_data.retention_holds.event_id IS 'The event';
COMMENT ON COLUMN hookfast_data.retention_holds.why IS 'The reason';
COMMENT ON COLUMN hookfast_data.retention_holds.held_by IS 'The person who requested the hold: a database role';
COMMENT ON COLUMN hookfast_data.retention_holds.held_at IS 'When the hold began';

CREATE TABLE hookfast_data.acknowledgements (
    event_id uuid PRIMARY KEY,
    acknowledged_by text NOT NULL,
    acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.acknowledgements IS
    'Conflicts and possible double purchases that an operator has acknowledged';
COMMENT ON COLUMN hookfast_data.acknowledgements.event_id IS 'The conflicting event';
COMMENT ON COLUMN hookfast_data.acknowledgements.acknowledged_by IS 'The person who acknowledged it: a database role';
COMMENT ON COLUMN hookfast_data.acknowledgements.acknowledged_at IS 'When it was acknowledged';

CREATE TABLE hookfast_data.retention (
    class text PRIMARY KEY CHECK (class IN ('events', 'keys', 'dead_letters', 'conflicts', 'rollups')),
    keep interval,
    announced_at timestamptz,
    announced_keep interval
);
COMMENT ON TABLE hookfast_data.retention IS
    'How long each class of data is kept. Set by the configuration of the workers';
COMMENT ON COLUMN hookfast_data.retention.class IS
    'events (payloads with their attempts), keys (for how long after they expired), dead_letters, conflicts, '
    'rollups';
COMMENT ON COLUMN hookfast_data.retention.keep IS 'How long; null means forever';
COMMENT ON COLUMN hookfast_data.retention.announced_at IS
    'When the first purge was announced; nothing is purged within a day of it';
COMMENT ON COLUMN hookfast_data.retention.announced_keep IS
    'The value of keep at the announcement; a shorter one is announced again';
INSERT INTO hookfast_data.retention (class, keep)
VALUES ('events', interval '90 days'), ('keys', interval '1 day'), ('dead_letters', NULL), ('conflicts', NULL),
    ('rollups', interval '90 days');

CREATE TABLE hookfast_data.processes (
    owner text PRIMARY KEY,
    roles text[] NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_ready text,
    handlers text[] NOT NULL DEFAULT '{}',
    slots integer[] NOT NULL DEFAULT '{}',
    sources text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.processes IS
    'The processes of Hookfast, each of which updates its row every few seconds';
COMMENT ON COLUMN hookfast_data.processes.owner IS 'Host and process';
COMMENT ON COLUMN hookfast_data.processes.roles IS 'ingress, worker or both';
COMMENT ON COLUMN hookfast_data.processes.version IS 'The program''s version';
COMMENT ON COLUMN hookfast_data.processes.started_at IS 'When it wrote its row first';
COMMENT ON COLUMN hookfast_data.processes.seen_at IS 'When it last updated its row';
COMMENT ON COLUMN hookfast_data.processes.not_ready IS 'Why it is not ready; null if it is ready';
COMMENT ON COLUMN hookfast_data.processes.handlers IS
    'The handlers of its configuration, if it has the role worker';
COMMENT ON COLUMN hookfast_data.processes.slots IS
    'How many deliveries of each of these handlers it runs at a time, in the same order; null if clients run them';
COMMENT ON COLUMN hookfast_data.processes.sources IS 'The sources of its configuration';

CREATE TABLE hookfast_data.erase_hooks (
    function name PRIMARY KEY
);
COMMENT ON TABLE hookfast_data.erase_hooks IS
    'Functions of this schema that erase what other tables keep of an event; each takes the ids of the erased events';
COMMENT ON COLUMN hookfast_data.erase_hooks.function IS 'Name of the function, without the schema';
