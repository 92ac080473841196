CREATE OR REPLACE FUNCTION hookfast_data.log(what text, subject text, details jsonb) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO hookfast_data.operator_log (who, what, subject, details)
    VALUES (session_user, log.what, log.subject, jsonb_strip_nulls(log.details))
$$;
COMMENT ON FUNCTION hookfast_data.log IS 'A line of the operator log';
REVOKE ALL ON FUNCTION hookfast_data.log FROM PUBLIC;
