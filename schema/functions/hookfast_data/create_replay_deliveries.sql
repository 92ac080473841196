CREATE OR REPLACE FUNCTION hookfast_data.create_replay_deliveries(handler smallint, events uuid[],
    new_id_of bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key, replay_id)
    SELECT h.id, t.id, h.max_attempts, CASE WHEN h.ordered_by IS NULL THEN now() END,
        CASE WHEN h.ordered_by IS NOT NULL THEN '' END, new_id_of
    FROM unnest(events) WITH ORDINALITY AS t (id, ord) JOIN hookfast_data.handlers h ON h.id =
        create_replay_deliveries.handler
        ORDER BY t.ord;
    GET DIAGNOSTICS made = ROW_COUNT;
    PERFORM hookfast_data.wake_workers();
    RETURN made;
END $$;
COMMENT ON FUNCTION hookfast_data.create_replay_deliveries IS 'Creates new deliveries of events; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.create_replay_deliveries FROM PUBLIC;
