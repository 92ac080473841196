-- A key that could be that of a conflict is hashed.
CREATE OR REPLACE FUNCTION hookfast_data.enqueued_key(key text, event uuid) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN key IS NULL THEN 'enqueue:' || event::text
        WHEN key = '' OR position('#conflict:' IN key) > 0
            THEN 'sha256:' || encode(sha256(convert_to(key, 'UTF8')), 'hex')
        ELSE hookfast_data.bounded_key(key) END;
COMMENT ON FUNCTION hookfast_data.enqueued_key IS
    'The idempotency key of an application''s event; without one, a key of its own';
REVOKE ALL ON FUNCTION hookfast_data.enqueued_key FROM PUBLIC;
