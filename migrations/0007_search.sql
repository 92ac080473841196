-- Search terms, and how far the new events have been read.

CREATE TABLE hookfast_data.search_terms (
    term text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (term, event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE hookfast_data.search_terms IS
    'What finds an event beside its key: the values of its source''s search fields. Written some seconds after '
    'the event, and leaves with it';
COMMENT ON COLUMN hookfast_data.search_terms.term IS
    'The first 200 characters of the value. The empty text marks an event that is not indexed as a whole';
COMMENT ON COLUMN hookfast_data.search_terms.event_id IS 'The event; the partition key';

-- A row each, so that an alert never waits for whoever indexes.
CREATE TABLE hookfast_data.event_cursors (
    reader text PRIMARY KEY CHECK (reader IN ('terms', 'conflicts')),
    upto uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.event_cursors IS 'How far new events have been read';
COMMENT ON COLUMN hookfast_data.event_cursors.reader IS 'For what: search terms, or alerts about conflicts';
COMMENT ON COLUMN hookfast_data.event_cursors.upto IS 'The last event that was read';
INSERT INTO hookfast_data.event_cursors (reader) VALUES ('terms'), ('conflicts');

-- One row a source; the newest job replaces the one before.
CREATE TABLE hookfast_data.reindexes (
    source_id smallint PRIMARY KEY,
    cursor_id uuid,
    events_read bigint NOT NULL DEFAULT 0,
    events_total bigint,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_by text NOT NULL DEFAULT session_user,
    ended_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.reindexes IS 'Jobs that index stored events again, after a source got a search field';
COMMENT ON COLUMN hookfast_data.reindexes.source_id IS 'Whose events';
COMMENT ON COLUMN hookfast_data.reindexes.cursor_id IS
    'How far it is: events with a smaller id are still to be read; null if it has not begun';
COMMENT ON COLUMN hookfast_data.reindexes.events_read IS 'Events that were read, those of other sources too';
COMMENT ON COLUMN hookfast_data.reindexes.events_total IS 'How many there were when it began, estimated';
COMMENT ON COLUMN hookfast_data.reindexes.requested_at IS 'When it was asked for';
COMMENT ON COLUMN hookfast_data.reindexes.requested_by IS 'By which database user';
COMMENT ON COLUMN hookfast_data.reindexes.ended_at IS 'When it was done; null while it is not';
