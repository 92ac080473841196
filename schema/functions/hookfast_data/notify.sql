-- Only a hint: whoever listens also polls. Once the queue is full, which any role can bring about that listens and
-- leaves a transaction open, every transaction that notifies fails at its commit; so from 90 % on there are no hints.
CREATE OR REPLACE FUNCTION hookfast_data.notify(channel text, message text) RETURNS void
    LANGUAGE sql
    RETURN CASE WHEN pg_notification_queue_usage() < 0.9 THEN pg_notify(channel, message) END;
COMMENT ON FUNCTION hookfast_data.notify IS 'Notifies at the commit, unless the queue of notifications is nearly full';
REVOKE ALL ON FUNCTION hookfast_data.notify FROM PUBLIC;
