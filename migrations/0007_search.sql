-- Search terms, and the cursors of the readers of new events.

CREATE TABLE hookfast_data.search_terms (
    term text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (term, event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE hookfast_data.search_terms IS
    'Terms that find an event besides its key: the values of its source''s search fields. Written some seconds after '
    'the event, and purged with it';
COMMENT ON COLUMN hookfast_data.search_terms.term IS
    'The first 200 characters of the value. The empty text marks an event that is not indexed as a whole';
COMMENT ON COLUMN hookfast_data.search_terms.event_id IS 'The event; the partition key';

-- One row per reader, so that an alert never waits for the indexer.
CREATE TABLE hookfast_data.event_cursors (
    reader text PRIMARY KEY CHECK (reader IN ('terms', 'conflicts')),
    upto uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.event_cursors IS 'How far each reader has read new events';
COMMENT ON COLUMN hookfast_data.event_cursors.reader IS 'The purpose: search terms, or alerts about conflicts';
COMMENT ON COLUMN hookfast_data.event_cursors.upto IS 'The last event that was read';
INSERT INTO hookfast_data.event_cursors (reader) VALUES ('terms'), ('conflicts');

-- One row per source; a new job replaces the previous one.
CREATE TABLE hookfast_data.reindexes (
    source_id smallint PRIMARY KEY,
    cursor_id uuid,
    events_read bigint NOT NULL DEFAULT 0,
    events_total bigint,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_by text NOT NULL,
    ended_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.reindexes IS 'Jobs that index stored events again, after a source got a search field';
COMMENT ON COLUMN hookfast_data.reindexes.source_id IS 'The source of the events';
COMMENT ON COLUMN hookfast_data.reindexes.cursor_id IS
    'The position: events with a smaller id are still to be read; null if the job has not begun';
COMMENT ON COLUMN hookfast_data.reindexes.events_read IS 'Events that were read, including those of other sources';
COMMENT ON COLUMN hookfast_data.reindexes.events_total IS 'The estimated number of events when the job began';
COMMENT ON COLUMN hookfast_data.reindexes.requested_at IS 'When the job was requested';
COMMENT ON COLUMN hookfast_data.reindexes.requested_by IS 'The person who requested it: a database role';
COMMENT ON COLUMN hookfast_data.reindexes.ended_at IS 'When the job ended; null while it runs';
