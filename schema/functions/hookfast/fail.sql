CREATE OR REPLACE FUNCTION hookfast.fail(
    lease_id bigint, delivery_id bigint, error text, retry_after interval DEFAULT NULL,
        dead boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast.fail_many(fail.lease_id, ARRAY[fail.delivery_id], fail.error, fail.retry_after, fail.dead);
END $$;
COMMENT ON FUNCTION hookfast.fail IS
    'Settles an attempt as failed: the delivery is retried by the handler''s policy, not before retry_after, or '
    'becomes a dead letter if dead is true. Raises HF002 if the lease is lost';
REVOKE ALL ON FUNCTION hookfast.fail FROM PUBLIC;
