CREATE OR REPLACE FUNCTION hookfast.complete(lease_id bigint, delivery_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast.complete_many(complete.lease_id, ARRAY[complete.delivery_id]);
END $$;
COMMENT ON FUNCTION hookfast.complete IS
    'Settles a delivery as delivered, inside the transaction that did its work. Raises HF002 if the lease is lost: '
    'then roll back';
REVOKE ALL ON FUNCTION hookfast.complete FROM PUBLIC;
