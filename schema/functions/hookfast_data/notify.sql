-- A notification is only a hint: every listener also polls. Any role that listens and leaves a transaction open can
-- fill the queue, and once it is full, every transaction that notifies fails at its commit. So no hints are sent above
-- 90 %.
CREATE OR REPLACE FUNCTION hookfast_data.notify(channel text, message text) RETURNS void
    LANGUAGE sql
    RETURN CASE WHEN pg_notification_queue_usage() < 0.9 THEN pg_notify(channel, message) END;
COMMENT ON FUNCTION hookfast_data.notify IS
    'Sends a notification at the commit, unless the queue of notifications is nearly full';
REVOKE ALL ON FUNCTION hookfast_data.notify FROM PUBLIC;
