-- Workers look back to the start of this transaction, because its deliveries commit late.
CREATE OR REPLACE FUNCTION hookfast_data.wake_workers() RETURNS void
    LANGUAGE sql
    RETURN hookfast_data.notify('hookfast_wake', floor(extract(epoch FROM now()) * 1000000)::bigint::text);
COMMENT ON FUNCTION hookfast_data.wake_workers IS
    'Notifies the workers at the commit of deliveries with an earlier due time';
REVOKE ALL ON FUNCTION hookfast_data.wake_workers FROM PUBLIC;
