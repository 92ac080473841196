-- A serialization failure, so that the caller sends the statement again.
CREATE OR REPLACE FUNCTION hookfast_data.raise_key_taken() RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    RAISE 'another transaction has just stored an event with one of these keys; nothing was changed'
        USING ERRCODE = '40001', HINT = 'Run the same statement again.';
END $$;
COMMENT ON FUNCTION hookfast_data.raise_key_taken IS
    'Raises 40001: a request with two keys met another transaction and must be sent again';
REVOKE ALL ON FUNCTION hookfast_data.raise_key_taken FROM PUBLIC;
