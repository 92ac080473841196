CREATE OR REPLACE FUNCTION hookfast_data.counted(count numeric, singular text, plural text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN count || ' ' || CASE WHEN count = 1 THEN singular ELSE plural END;
COMMENT ON FUNCTION hookfast_data.counted IS 'A count with its noun: 1 attempt, 2 attempts';
-- No REVOKE: readers call it through hookfast.timeline.
