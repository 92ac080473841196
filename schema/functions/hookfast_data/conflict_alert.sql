CREATE OR REPLACE FUNCTION hookfast_data.conflict_alert(event uuid) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT hookfast_data.raise_alert('hookfast.conflict', 'conflict:' || e.id,
        jsonb_build_object('event_id', e.id, 'source', s.name,
        'type', e.type, 'idempotency_key', e.idempotency_key, 'first_event_id', e.conflicts_with))
    FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id
        WHERE e.id = event AND e.conflicts_with IS NOT NULL
$$;
COMMENT ON FUNCTION hookfast_data.conflict_alert IS 'Raises the alert about a conflict';
REVOKE ALL ON FUNCTION hookfast_data.conflict_alert FROM PUBLIC;
