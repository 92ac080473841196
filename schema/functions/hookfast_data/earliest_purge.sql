-- A class that was not announced, or only with a longer retention, is announced first.
CREATE OR REPLACE FUNCTION hookfast_data.earliest_purge(of hookfast_data.retention) RETURNS timestamptz
    LANGUAGE sql VOLATILE
    RETURN CASE WHEN of.keep >= of.announced_keep THEN of.announced_at ELSE clock_timestamp() END + interval '1 day';
COMMENT ON FUNCTION hookfast_data.earliest_purge IS 'The earliest time at which rows of a class are purged';
REVOKE ALL ON FUNCTION hookfast_data.earliest_purge FROM PUBLIC;
