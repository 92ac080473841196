-- Not the refusals of our own making, such as busy or unavailable: those say nothing of the sender.
CREATE OR REPLACE FUNCTION hookfast_data.is_reject(counter text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN counter LIKE '%\_signature' OR counter = ANY ('{too_large,too_slow,broken_body,bad_topic,malformed,'
        'too_many_headers,headers_too_large,headers_too_slow,address_too_long}'::text[]);
COMMENT ON FUNCTION hookfast_data.is_reject IS
    'Whether a counter of a source counts requests that were refused because of what the sender sent';
REVOKE ALL ON FUNCTION hookfast_data.is_reject FROM PUBLIC;
