CREATE OR REPLACE FUNCTION hookfast_data.alert_dead_letters(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dead record;
    announced bigint := 0;
BEGIN
    FOR dead IN
        SELECT d.delivery_id, d.event_id, d.attempt_number, d.reason, d.last_error, d.died_at, h.name AS handler,
            e.type,
            e.idempotency_key, s.name AS source
        FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id
        LEFT JOIN LATERAL (SELECT x.type, x.idempotency_key, x.source_id FROM hookfast_data.events x
            WHERE x.id = d.event_id) e ON true
        LEFT JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE NOT d.announced ORDER BY d.delivery_id LIMIT most FOR UPDATE OF d SKIP LOCKED
    LOOP
        -- A failed alert delivery does not raise another alert.
        IF dead.source IS DISTINCT FROM 'hookfast' THEN
            PERFORM hookfast_data.raise_alert('hookfast.delivery.dead',
                'dead:' || dead.delivery_id || ':' || dead.attempt_number,
                jsonb_build_object('delivery_id', dead.delivery_id, 'handler', dead.handler, 'event_id', dead.event_id,
                    'source', dead.source,
                    'type', dead.type, 'idempotency_key', dead.idempotency_key, 'attempts', dead.attempt_number,
                        'reason',
                        dead.reason,
                    'error', dead.last_error, 'died_at', dead.died_at));
        END IF;
        UPDATE hookfast_data.dead_letters d SET announced = true WHERE d.delivery_id = dead.delivery_id;
        announced := announced + 1;
    END LOOP;
    RETURN announced;
END $$;
COMMENT ON FUNCTION hookfast_data.alert_dead_letters IS
    'Raises alerts about new dead letters, up to a limit; returns how many';
REVOKE ALL ON FUNCTION hookfast_data.alert_dead_letters FROM PUBLIC;
