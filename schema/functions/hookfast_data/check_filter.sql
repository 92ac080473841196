-- A path that is no predicate, as $ ? (@.a == 1), is true or false of nothing, and would let nothing pass. Postgres
-- prints predicates as (…), !(…) or exists (…), and everything else with what it begins with.
CREATE OR REPLACE FUNCTION hookfast_data.check_filter(filter text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    IF regexp_replace(filter::jsonpath::text, '^(strict|lax) ', '') !~ '^(\(|!\(|exists \()' THEN
        RAISE 'this path finds something, but says neither true nor false' USING ERRCODE = '22023';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_filter IS 'Raises where a text is no jsonpath, or one that is no predicate';
REVOKE ALL ON FUNCTION hookfast_data.check_filter FROM PUBLIC;
