-- Workers look back to when this transaction began: what it makes due commits late.
CREATE OR REPLACE FUNCTION hookfast_data.wake_workers() RETURNS void
    LANGUAGE sql
    RETURN hookfast_data.notify('hookfast_wake', floor(extract(epoch FROM now()) * 1000000)::bigint::text);
COMMENT ON FUNCTION hookfast_data.wake_workers IS 'Tells the workers, at the commit, that deliveries came late';
REVOKE ALL ON FUNCTION hookfast_data.wake_workers FROM PUBLIC;
