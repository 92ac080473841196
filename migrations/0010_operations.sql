-- What operators look at and ask for: columns and tables. No row that is there is rewritten, and only those of the
-- quarantine, which is bounded, are looked at.

UPDATE hookfast_data.compatibility SET schema_version = 2;

ALTER TABLE hookfast_data.sources
    ADD COLUMN secret_fields text[] NOT NULL DEFAULT '{}',
    ADD COLUMN search_fields text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN hookfast_data.sources.secret_fields IS 'Members of the payload, at any depth and in lower case, that readers do not see';
COMMENT ON COLUMN hookfast_data.sources.search_fields IS 'Members of the payload, at any depth and in lower case, whose values find the event';

ALTER TABLE hookfast_data.events ADD COLUMN erased_at timestamptz;
COMMENT ON TABLE hookfast_data.events IS 'One row for each thing that happened: appended, and updated only where an operator erases the payload';
COMMENT ON COLUMN hookfast_data.events.erased_at IS 'When an operator erased body and headers; null is never';

ALTER TABLE hookfast_data.outbox ADD COLUMN replay_id bigint;
COMMENT ON COLUMN hookfast_data.outbox.replay_id IS 'The replay that made it, where receivers are to see a new webhook-id; else null';

-- What is dead already is no news.
ALTER TABLE hookfast_data.dead_letters ADD COLUMN replay_id bigint, ADD COLUMN announced boolean NOT NULL DEFAULT true;
ALTER TABLE hookfast_data.dead_letters ALTER COLUMN announced SET DEFAULT false;
COMMENT ON COLUMN hookfast_data.dead_letters.replay_id IS 'As in the outbox';
COMMENT ON COLUMN hookfast_data.dead_letters.announced IS 'Whether the news of it is out';

-- One word more, so nothing that is there has to be looked at again.
ALTER TABLE hookfast_data.attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE hookfast_data.attempts ADD CONSTRAINT attempts_outcome_check
    CHECK (outcome IN ('delivered', 'filtered', 'retry', 'dead', 'lost', 'discarded')) NOT VALID;
COMMENT ON COLUMN hookfast_data.attempts.outcome IS 'delivered, filtered (the handler''s payload filter did not let it pass: done, and not run), retry (failed, will be tried again), dead (failed for good), lost (its worker went away), discarded (by an operator, and not run)';

ALTER TABLE hookfast_data.quarantine
    ADD COLUMN asked text CHECK (asked IN ('reverify', 'release')),
    ADD COLUMN asked_by text,
    ADD COLUMN answer text,
    ADD CHECK ((asked IS NULL) = (asked_by IS NULL));
COMMENT ON COLUMN hookfast_data.quarantine.asked IS 'What an operator asked for and an ingress has not done yet: reverify (by the secrets of now) or release (on the operator''s word)';
COMMENT ON COLUMN hookfast_data.quarantine.asked_by IS 'Who asked';
COMMENT ON COLUMN hookfast_data.quarantine.answer IS 'Why the last verification failed; null where nobody asked';

CREATE TABLE hookfast_data.search_terms (
    term text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (term, event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE hookfast_data.search_terms IS 'What finds an event beside its key: the values of its source''s search fields. Written some seconds after the event, and leaves with it';
COMMENT ON COLUMN hookfast_data.search_terms.term IS 'The value, as text of at most 200 bytes';
COMMENT ON COLUMN hookfast_data.search_terms.event_id IS 'The event; the partition key';

CREATE TABLE hookfast_data.digest (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    upto uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.digest IS 'How far new events have been read for search terms and news';
COMMENT ON COLUMN hookfast_data.digest.only_row IS 'There is one row';
COMMENT ON COLUMN hookfast_data.digest.upto IS 'The last event that was read';
INSERT INTO hookfast_data.digest DEFAULT VALUES;

CREATE TABLE hookfast_data.replays (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler_id smallint NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'cancelled', 'done')),
    source text,
    type text,
    payload text CHECK (payload IS NULL OR payload::jsonpath IS NOT NULL),
    after_id uuid NOT NULL,
    upto_id uuid NOT NULL,
    matching bigint NOT NULL,
    replayed bigint NOT NULL DEFAULT 0,
    per_second integer NOT NULL CHECK (per_second BETWEEN 1 AND 10000),
    new_webhook_id boolean NOT NULL,
    asked_by text NOT NULL DEFAULT session_user,
    why text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stepped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.replays IS 'One row a replay of many events: a job that goes on over restarts';
COMMENT ON COLUMN hookfast_data.replays.id IS 'In the order they were asked for';
COMMENT ON COLUMN hookfast_data.replays.handler_id IS 'To whom';
COMMENT ON COLUMN hookfast_data.replays.state IS 'running, paused, cancelled or done';
COMMENT ON COLUMN hookfast_data.replays.source IS 'Only events of this source; null is all';
COMMENT ON COLUMN hookfast_data.replays.type IS 'Only events of this type pattern; null is all';
COMMENT ON COLUMN hookfast_data.replays.payload IS 'Only events whose payload meets this jsonpath predicate; null is all';
COMMENT ON COLUMN hookfast_data.replays.after_id IS 'How far it has come: events after this one are still to be looked at';
COMMENT ON COLUMN hookfast_data.replays.upto_id IS 'Where it ends: no event from this id on';
COMMENT ON COLUMN hookfast_data.replays.matching IS 'How many events met the filter when it began';
COMMENT ON COLUMN hookfast_data.replays.replayed IS 'How many deliveries it has made';
COMMENT ON COLUMN hookfast_data.replays.per_second IS 'How many deliveries it makes a second at most';
COMMENT ON COLUMN hookfast_data.replays.new_webhook_id IS 'Whether receivers see another webhook-id than the event''s';
COMMENT ON COLUMN hookfast_data.replays.asked_by IS 'The database user that asked for it';
COMMENT ON COLUMN hookfast_data.replays.why IS 'Why';
COMMENT ON COLUMN hookfast_data.replays.asked_at IS 'When';
COMMENT ON COLUMN hookfast_data.replays.stepped_at IS 'When it last went on';
COMMENT ON COLUMN hookfast_data.replays.ended_at IS 'When it was done or cancelled';

CREATE TABLE hookfast_data.holds (
    event_id uuid PRIMARY KEY,
    why text NOT NULL,
    held_by text NOT NULL DEFAULT session_user,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE hookfast_data.holds IS 'Events that retention leaves alone because an operator said so';
COMMENT ON COLUMN hookfast_data.holds.event_id IS 'The event';
COMMENT ON COLUMN hookfast_data.holds.why IS 'Why';
COMMENT ON COLUMN hookfast_data.holds.held_by IS 'The database user that asked for it';
COMMENT ON COLUMN hookfast_data.holds.held_at IS 'When';

CREATE TABLE hookfast_data.conditions (
    news text NOT NULL,
    subject text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (news, subject)
);
COMMENT ON TABLE hookfast_data.conditions IS 'What is wrong now and was told as news; it is told again only after it has been right';
COMMENT ON COLUMN hookfast_data.conditions.news IS 'The type of the news';
COMMENT ON COLUMN hookfast_data.conditions.subject IS 'The handler or source';
COMMENT ON COLUMN hookfast_data.conditions.since IS 'Since when';

CREATE TABLE hookfast_data.processes (
    holder text PRIMARY KEY,
    roles text[] NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_ready text
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.processes IS 'The processes of Hookfast, each of which says every few seconds that it lives';
COMMENT ON COLUMN hookfast_data.processes.holder IS 'Host and process';
COMMENT ON COLUMN hookfast_data.processes.roles IS 'ingress, worker or both';
COMMENT ON COLUMN hookfast_data.processes.version IS 'The program''s version';
COMMENT ON COLUMN hookfast_data.processes.started_at IS 'When it said so first';
COMMENT ON COLUMN hookfast_data.processes.seen_at IS 'When it said so last';
COMMENT ON COLUMN hookfast_data.processes.not_ready IS 'What it waits for; null where it is ready';

-- What SQL clients do leaves its counts here, without two of them waiting for one row; workers add them up.
CREATE UNLOGGED TABLE hookfast_data.counts (
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE hookfast_data.counts IS 'Counts on their way into the rollups, from functions that clients call';
COMMENT ON COLUMN hookfast_data.counts.subject IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.counts.counter IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.counts.value IS 'How many';

CREATE TABLE hookfast_data.retention (
    class text PRIMARY KEY CHECK (class IN ('events', 'keys', 'dead_letters', 'conflicts', 'rollups')),
    keep interval,
    announced_at timestamptz,
    announced_keep interval
);
COMMENT ON TABLE hookfast_data.retention IS 'How long what is kept. Set by the configuration of the workers';
COMMENT ON COLUMN hookfast_data.retention.class IS 'events (payloads with their attempts), keys (for how long after they expired), dead_letters, conflicts, rollups';
COMMENT ON COLUMN hookfast_data.retention.keep IS 'How long; null is for ever';
COMMENT ON COLUMN hookfast_data.retention.announced_at IS 'When the first drop was announced; nothing goes within a day of it';
COMMENT ON COLUMN hookfast_data.retention.announced_keep IS 'What keep was then: a shorter one is announced again';
INSERT INTO hookfast_data.retention (class, keep)
VALUES ('events', interval '90 days'), ('keys', interval '1 day'), ('dead_letters', NULL), ('conflicts', NULL), ('rollups', interval '90 days');

CREATE TABLE hookfast_data.settings (
    name text PRIMARY KEY CHECK (name IN ('reader_role', 'operator_role')),
    value text NOT NULL
);
COMMENT ON TABLE hookfast_data.settings IS 'What the database has to know of the configuration';
COMMENT ON COLUMN hookfast_data.settings.name IS 'reader_role or operator_role';
COMMENT ON COLUMN hookfast_data.settings.value IS 'Its value';

-- On the parents alone: days to come have these from the start, days that are there get them one by one, without
-- anybody waiting (src/store/indexes.rs).
CREATE INDEX events_conflicts ON ONLY hookfast_data.events (id) WHERE conflicts_with IS NOT NULL;
CREATE INDEX events_news ON ONLY hookfast_data.events (id) WHERE origin = 'hookfast';
CREATE INDEX attempts_failed ON ONLY hookfast_data.attempts (finished_at) WHERE outcome IN ('retry', 'dead', 'lost');
