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
CREATE TABLE hookfast_data.digest (
    reader text PRIMARY KEY CHECK (reader IN ('terms', 'conflicts')),
    upto uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
) WITH (fillfactor = 50);
COMMENT ON TABLE hookfast_data.digest IS 'How far new events have been read';
COMMENT ON COLUMN hookfast_data.digest.reader IS 'For what: search terms, or alerts about conflicts';
COMMENT ON COLUMN hookfast_data.digest.upto IS 'The last event that was read';
INSERT INTO hookfast_data.digest (reader) VALUES ('terms'), ('conflicts');
