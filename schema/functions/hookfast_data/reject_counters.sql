-- Rejections that Hookfast causes itself, such as busy or unavailable, are not among them: they do not describe the
-- sender.
CREATE OR REPLACE FUNCTION hookfast_data.reject_counters() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '{missing_signature,malformed_signature,unsupported_signature,stale_signature,wrong_signature,too_large,'
        'too_slow,broken_body,bad_topic,malformed,too_many_headers,headers_too_large,headers_too_slow,'
        'address_too_long}'::text[];
COMMENT ON FUNCTION hookfast_data.reject_counters IS
    'The counters of a source that count requests rejected because of their content';
REVOKE ALL ON FUNCTION hookfast_data.reject_counters FROM PUBLIC;
