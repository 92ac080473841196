CREATE OR REPLACE FUNCTION hookfast_data.mark_not_indexed(event uuid, why text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    marked boolean := true;
BEGIN
    BEGIN
        INSERT INTO hookfast_data.search_terms (term, event_id) VALUES ('', event) ON CONFLICT DO NOTHING;
    EXCEPTION WHEN OTHERS THEN
        marked := false;
    END;
    PERFORM hookfast_data.log('event.not_indexed', event::text, jsonb_build_object('why', why, 'marked', marked));
END $$;
COMMENT ON FUNCTION hookfast_data.mark_not_indexed IS
    'Marks an event as not indexed, if the mark can be stored, and records the reason in the audit log';
REVOKE ALL ON FUNCTION hookfast_data.mark_not_indexed FROM PUBLIC;
