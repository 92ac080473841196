-- Search terms, and how far the new events have been read.

CREATE TABLE hookfast_data.search_terms (
    term text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (term, event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE hookfast_data.search_terms IS
    'What finds an event beside its key: the values of its source''s search fields. Written some seconds after '
    'the event, and leaves with it';
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
