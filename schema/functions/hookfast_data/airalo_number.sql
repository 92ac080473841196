CREATE OR REPLACE FUNCTION hookfast_data.airalo_number(payload jsonb, member text) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN hookfast_data.airalo_text(payload,
        member) ~ '^\s*[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?\s*$'
        THEN hookfast_data.airalo_text(payload, member)::numeric END;
COMMENT ON FUNCTION hookfast_data.airalo_number IS 'A member that is a number, or a text that contains one';
REVOKE ALL ON FUNCTION hookfast_data.airalo_number FROM PUBLIC;
