-- Events are processed in any order. A result that others conflict with is written first, and written again when its
-- own delivery is processed, which changes nothing.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_first_row(of_source smallint, of_event uuid) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    first hookfast.event;
BEGIN
    SELECT e.id, e.type, e.received_at, e.conflicts_with,
            coalesce(hookfast_data.as_jsonb(e.body), hookfast_data.readable_jsonb(e.body))
        INTO first.event_id, first.type, first.received_at, first.conflicts_with, first.payload
        FROM hookfast_data.events e WHERE e.id = of_event AND e.source_id = of_source;
    IF jsonb_typeof(first.payload) = 'object' THEN
        RETURN hookfast_data.airalo_project_order(of_source, first);
    END IF;
    -- The payload was removed since, so the result has been projected long ago.
    RETURN (SELECT s.order_row FROM hookfast_data.airalo_sims s WHERE s.event_id = of_event LIMIT 1);
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_first_row IS 'The projected row of an event that another event conflicts with';
REVOKE ALL ON FUNCTION hookfast_data.airalo_first_row FROM PUBLIC;
