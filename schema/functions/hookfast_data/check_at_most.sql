CREATE OR REPLACE FUNCTION hookfast_data.check_at_most(matching bigint, at_most bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    IF matching > at_most THEN
        RAISE '% match, but at_most is %; nothing was changed', matching, at_most
            USING ERRCODE = 'HF005',
                HINT = 'Call the function without at_most to see what matches. Then pass the number that you allow.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.check_at_most IS 'Raises an error if more rows match than are allowed';
REVOKE ALL ON FUNCTION hookfast_data.check_at_most FROM PUBLIC;
