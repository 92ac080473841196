-- A path that is not a predicate, such as $ ? (@.a == 1), is neither true nor false for any payload, and no event would
-- pass. Postgres prints predicates as (…), !(…) or exists (…), and every other path without such a beginning.
CREATE OR REPLACE FUNCTION hookfast_data.check_filter(filter text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    IF regexp_replace(filter::jsonpath::text, '^(strict|lax) ', '') !~ '^(\(|!\(|exists \()' THEN
        RAISE 'this jsonpath is not a predicate: it returns items instead of true or false'
            USING ERRCODE = '22023';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_filter IS
    'Raises an error if a text is not a jsonpath, or a jsonpath that is not a predicate';
REVOKE ALL ON FUNCTION hookfast_data.check_filter FROM PUBLIC;
