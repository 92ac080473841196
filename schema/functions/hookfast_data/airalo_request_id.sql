CREATE OR REPLACE FUNCTION hookfast_data.airalo_request_id(payload jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN coalesce(
        CASE WHEN jsonb_typeof(payload -> 'request_id') = 'string'
            THEN nullif(left(payload ->> 'request_id', 200), '') END,
        CASE WHEN jsonb_typeof(payload #> '{data,request_id}') = 'string'
            THEN nullif(left(payload #>> '{data,request_id}', 200), '') END);
COMMENT ON FUNCTION hookfast_data.airalo_request_id IS 'The request that a result belongs to; null if it has none';
REVOKE ALL ON FUNCTION hookfast_data.airalo_request_id FROM PUBLIC;
