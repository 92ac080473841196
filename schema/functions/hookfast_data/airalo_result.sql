CREATE OR REPLACE FUNCTION hookfast_data.airalo_result(outcome text, payload jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN hookfast_data.airalo_flatten(CASE WHEN jsonb_typeof(payload -> 'data') = 'object'
        AND (outcome = 'failed' OR jsonb_typeof(payload #> '{data,sims,0}') IS NOT NULL)
        THEN payload -> 'data' ELSE payload END);
COMMENT ON FUNCTION hookfast_data.airalo_result IS
    'The members of an order''s result, at each position where producers put them';
REVOKE ALL ON FUNCTION hookfast_data.airalo_result FROM PUBLIC;
