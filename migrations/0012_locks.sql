-- What processes lock so that one of them at a time does something. Advisory locks would not do: whoever may connect to
-- the database can hold those, and Hookfast would stand still.

CREATE TABLE hookfast_data.locks (
    name text PRIMARY KEY
);
COMMENT ON TABLE hookfast_data.locks IS
    'One row a lock that is held until the end of a transaction: hookfast_data.lock and hookfast_data.try_lock';
COMMENT ON COLUMN hookfast_data.locks.name IS 'What is locked; the first to lock it makes the row';

-- These have no rows: LOCK TABLE writes nothing and takes neither a transaction id nor a snapshot, so that a
-- transaction that holds one for hours keeps no dead row from being removed.
CREATE TABLE hookfast_data.history_lock ();
COMMENT ON TABLE hookfast_data.history_lock IS
    'Locked in ROW SHARE mode by whatever relies on payloads being there, in EXCLUSIVE mode by what takes them away';

CREATE TABLE hookfast_data.index_lock ();
COMMENT ON TABLE hookfast_data.index_lock IS 'Locked in EXCLUSIVE mode by the one process that builds indexes';

CREATE TABLE hookfast_data.retention_lock ();
COMMENT ON TABLE hookfast_data.retention_lock IS 'Locked in EXCLUSIVE mode by the one process that does retention';
