-- What readers see of it: only what is ours.
CREATE OR REPLACE FUNCTION hookfast_data.visible_error_kind(kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN kind ~ '^(status [0-9]{3}|lost|timeout|name not found|tls failed|connection '
        '(refused|failed|broken)|answer refused|not http|request failed|address refused|the handler panicked|'
        'no reason given)$'
        THEN kind ELSE 'error' END;
COMMENT ON FUNCTION hookfast_data.visible_error_kind IS
    'A kind of error where it is one of our own words, else error: a handler''s text may hold anything';
