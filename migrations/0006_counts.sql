-- Counts of what has no row of its own.

CREATE TABLE hookfast_data.rollups (
    minute timestamptz NOT NULL,
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (minute, subject, counter)
);
COMMENT ON TABLE hookfast_data.rollups IS
    'Counts of what leaves no row of its own; each process adds its own every few seconds';
COMMENT ON COLUMN hookfast_data.rollups.minute IS 'The minute they were added in';
COMMENT ON COLUMN hookfast_data.rollups.subject IS 'source:NAME, handler:NAME or worker';
COMMENT ON COLUMN hookfast_data.rollups.counter IS 'What was counted';
COMMENT ON COLUMN hookfast_data.rollups.value IS 'How many';

-- What SQL clients do leaves its counts here, without two of them waiting for one row; workers add them up.
CREATE UNLOGGED TABLE hookfast_data.pending_counts (
    subject text NOT NULL,
    counter text NOT NULL,
    value bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE hookfast_data.pending_counts IS
    'Counts on their way into the rollups, from functions that clients call';
COMMENT ON COLUMN hookfast_data.pending_counts.subject IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.pending_counts.counter IS 'As in the rollups';
COMMENT ON COLUMN hookfast_data.pending_counts.value IS 'How many';
