-- One statement both reveals and records, so that nobody can do the one without the other.
CREATE OR REPLACE FUNCTION hookfast.reveal(event_id uuid, why text)
    RETURNS TABLE (payload jsonb, headers jsonb, body bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    erased timestamptz;
BEGIN
    PERFORM hookfast_data.require_reason(reveal.why);
    SELECT e.erased_at, hookfast_data.as_jsonb(e.body), e.headers, e.body INTO erased, payload, headers, body
        FROM hookfast_data.events e WHERE e.id = reveal.event_id;
    IF NOT FOUND THEN
        RAISE 'no event has the id %; nothing was revealed', reveal.event_id
            USING ERRCODE = 'HF004',
                HINT = 'It may have been purged. hookfast.find finds events by key, order or ICCID.';
    END IF;
    IF erased IS NOT NULL THEN
        RAISE 'the payload of event % was erased; nothing was revealed', reveal.event_id
            USING ERRCODE = 'HF007';
    END IF;
    PERFORM hookfast_data.log('event.revealed', reveal.event_id::text, jsonb_build_object('why', reveal.why));
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION hookfast.reveal IS
    'Returns the payload of an event with its secret members, all headers and the exact body, and writes the reason '
    'to the audit log';
REVOKE ALL ON FUNCTION hookfast.reveal FROM PUBLIC;
