-- Airalo's producers write numbers and texts interchangeably. Anything else counts as absent.
CREATE OR REPLACE FUNCTION hookfast_data.airalo_text(payload jsonb, member text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN jsonb_typeof(payload -> member) IN ('string', 'number') THEN left(payload ->> member, 200) END;
COMMENT ON FUNCTION hookfast_data.airalo_text IS 'A member that is a text or a number, as text';
REVOKE ALL ON FUNCTION hookfast_data.airalo_text FROM PUBLIC;
