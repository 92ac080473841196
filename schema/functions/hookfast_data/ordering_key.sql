CREATE OR REPLACE FUNCTION hookfast_data.ordering_key(body bytea, path text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    RETURN (SELECT CASE WHEN octet_length(k) > 200 THEN 'sha256:' || encode(sha256(convert_to(k, 'UTF8')), 'hex')
        ELSE nullif(k, '') END
    FROM (SELECT hookfast_data.lenient_jsonb(body) #>> path AS k) v);
COMMENT ON FUNCTION hookfast_data.ordering_key IS
    'The ordering key in a payload, or null where it has none: such an event keeps order with no other';
