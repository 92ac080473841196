-- A secret may also be part of another member, for example a matching id in the text of an instruction. So the values
-- of the secret fields are masked everywhere if they have 8 characters or more: shorter ones occur by chance. If the
-- result is not JSON, nothing is shown. Nothing is shown either if the payload is so deeply nested that reading all of
-- it takes seconds, since each level is a copy of the levels below it. SECURITY DEFINER, because readers cannot call
-- functions of this schema by name.
CREATE OR REPLACE FUNCTION hookfast_data.redact_payload(payload jsonb, fields text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    secrets text[];
    secret text;
    shown text;
BEGIN
    IF payload IS NULL OR cardinality(fields) = 0 THEN
        RETURN payload;
    END IF;
    IF jsonb_path_exists(payload, 'strict $.**{64}') THEN
        RETURN '"***"';
    END IF;
    -- The longest first, since one value may contain another.
    secrets := ARRAY(SELECT s FROM unnest(hookfast_data.secret_values(payload, fields)) s
        WHERE length(s) >= 8 ORDER BY length(s) DESC, s);
    shown := hookfast_data.redact_fields(payload, fields, secrets)::text;
    FOREACH secret IN ARRAY secrets LOOP
        shown := replace(shown, (SELECT substring(q FROM 2 FOR length(q) - 2) FROM (
            SELECT to_jsonb(secret)::text AS q) q), '***');
    END LOOP;
    RETURN shown::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN '"***"';
END $$;
COMMENT ON FUNCTION hookfast_data.redact_payload IS 'A payload as readers see it';
-- No REVOKE: readers call it through a view.
