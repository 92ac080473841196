CREATE OR REPLACE FUNCTION hookfast_data.check_payload(payload jsonpath) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM hookfast_data.check_filter(payload::text);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE 'payload is not a predicate: it returns items instead of true or false; nothing was changed'
        USING ERRCODE = '22023',
            HINT = 'Write a predicate, such as $.data.quantity > 1 or exists($.sims[*] ? (@.iccid starts with "89")).';
END $$;
COMMENT ON FUNCTION hookfast_data.check_payload IS
    'Raises an error if a jsonpath is not a predicate: no payload would match it';
REVOKE ALL ON FUNCTION hookfast_data.check_payload FROM PUBLIC;
