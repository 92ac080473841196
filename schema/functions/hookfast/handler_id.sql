CREATE OR REPLACE FUNCTION hookfast.handler_id(handler text) RETURNS smallint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
    SELECT h.id FROM hookfast_data.handlers h WHERE h.name = handler_id.handler
$$;
COMMENT ON FUNCTION hookfast.handler_id IS
    'The id of a handler; null if no handler has this name. As a bound on handler_id it selects the rows of one '
    'handler in the order of an index';
REVOKE ALL ON FUNCTION hookfast.handler_id FROM PUBLIC;
