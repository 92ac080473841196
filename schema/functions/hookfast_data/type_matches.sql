CREATE OR REPLACE FUNCTION hookfast_data.type_matches(pattern text, type text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pattern = '*'
        OR type = pattern
        OR (right(pattern, 2) = '.*' AND starts_with(type, left(pattern, -1)) AND length(type) >= length(pattern));
COMMENT ON FUNCTION hookfast_data.type_matches IS
    'The one rule of type patterns: *, an exact type, or prefix.* (one or more further segments)';
-- No REVOKE: readers call it through a view.
