-- The words of the http handler come first in its errors and end at a colon; so do those of most programs.
CREATE OR REPLACE FUNCTION hookfast_data.error_kind(outcome text, status smallint, error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN status IS NOT NULL THEN 'status ' || status WHEN outcome = 'lost' THEN 'lost'
        -- By whatever limit, of whatever kind of handler.
        WHEN starts_with(error, 'timed out after ') THEN 'timeout'
        ELSE coalesce(nullif(left(split_part(error, ':', 1), 60), ''), 'no reason given') END;
COMMENT ON FUNCTION hookfast_data.error_kind IS
    'What a failed attempt is grouped by: the status, or how its error begins';
