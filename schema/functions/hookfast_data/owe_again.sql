CREATE OR REPLACE FUNCTION hookfast_data.owe_again(handler smallint, events uuid[], new_id_of bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO hookfast_data.outbox (handler_id, event_id, tries_left, due_at, ordering_key, replay_id)
    SELECT h.id, t.id, h.tries, CASE WHEN h.ordered_by IS NULL THEN now() END,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END, new_id_of
    FROM unnest(events) WITH ORDINALITY AS t (id, ord) JOIN hookfast_data.handlers h ON h.id = owe_again.handler
        ORDER BY t.ord;
    GET DIAGNOSTICS made = ROW_COUNT;
    PERFORM hookfast_data.wake_workers();
    RETURN made;
END $$;
COMMENT ON FUNCTION hookfast_data.owe_again IS 'Makes new deliveries of events; answers with how many';
REVOKE ALL ON FUNCTION hookfast_data.owe_again FROM PUBLIC;
