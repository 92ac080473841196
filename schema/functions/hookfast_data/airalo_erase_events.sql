CREATE OR REPLACE FUNCTION hookfast_data.airalo_erase_events(events uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    DELETE FROM hookfast_data.airalo_sims s WHERE s.event_id = ANY (events);
    DELETE FROM hookfast_data.airalo_low_data l WHERE l.event_id = ANY (events);
    UPDATE hookfast_data.airalo_orders o SET description = NULL, reason = NULL WHERE o.event_id = ANY (events);
END $$;
COMMENT ON FUNCTION hookfast_data.airalo_erase_events IS 'Removes the data of erased events from the projection';
REVOKE ALL ON FUNCTION hookfast_data.airalo_erase_events FROM PUBLIC;
