-- Locks for tasks that one process does at a time. Advisory locks would not work: any role that may connect to the
-- database can hold those, and Hookfast would stop working.

CREATE TABLE hookfast_data.locks (
    name text PRIMARY KEY
);
COMMENT ON TABLE hookfast_data.locks IS
    'Locks that are held until the end of a transaction, one row each: hookfast_data.lock and hookfast_data.try_lock';
COMMENT ON COLUMN hookfast_data.locks.name IS
    'The name of the lock; the first transaction that takes it creates the row';

-- These tables have no rows. LOCK TABLE writes nothing and takes neither a transaction id nor a snapshot, so a
-- transaction that holds one for hours does not prevent the removal of dead rows.
CREATE TABLE hookfast_data.history_lock ();
COMMENT ON TABLE hookfast_data.history_lock IS
    'Locked in ROW SHARE mode by transactions that rely on payloads, in EXCLUSIVE mode by those that remove payloads';

CREATE TABLE hookfast_data.index_lock ();
COMMENT ON TABLE hookfast_data.index_lock IS 'Locked in EXCLUSIVE mode by the one process that builds indexes';

CREATE TABLE hookfast_data.retention_lock ();
COMMENT ON TABLE hookfast_data.retention_lock IS 'Locked in EXCLUSIVE mode by the one process that purges';
