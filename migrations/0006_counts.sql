-- Counts of things that have no row of their own.

CREATE TABLE hookfast_data.rollups (
    minute timestamptz NOT NULL,
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (minute, subject, counter)
);
COMMENT ON TABLE hookfast_data.rollups IS
    'Counts of things that have no row of their own. Each process adds its counts every few seconds';
COMMENT ON COLUMN hookfast_data.rollups.minute IS 'The minute in which the counts were added';
COMMENT ON COLUMN hookfast_data.rollups.subject IS 'source:NAME, handler:NAME or worker';
COMMENT ON COLUMN hookfast_data.rollups.counter IS 'The name of the counter';
COMMENT ON COLUMN hookfast_data.rollups.value IS 'The count';

-- Calls of SQL clients insert their counts here, so that no two clients wait for one row. Workers add them up.
CREATE UNLOGGED TABLE hookfast_data.pending_counts (
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE hookfast_data.pending_counts IS 'Counts of functions that clients call, not yet added to the rollups';
COMMENT ON COLUMN hookfast_data.pending_counts.subject IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.pending_counts.counter IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.pending_counts.value IS 'The count';
