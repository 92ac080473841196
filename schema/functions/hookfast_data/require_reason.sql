CREATE OR REPLACE FUNCTION hookfast_data.require_reason(why text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    IF coalesce(btrim(why), '') = '' THEN
        RAISE 'why is empty; nothing was changed'
            USING ERRCODE = '22023', HINT = 'Give a reason. hookfast.audit_log records it.';
    END IF;
END $$;
COMMENT ON FUNCTION hookfast_data.require_reason IS 'Raises an error if no reason is given';
REVOKE ALL ON FUNCTION hookfast_data.require_reason FROM PUBLIC;
