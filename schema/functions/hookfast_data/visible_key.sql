-- A key may come from a secret field, alone or combined with other members. If the payload cannot answer that (it was
-- erased, jsonb cannot hold it, or it is too deep to be read as a whole), the key is masked too. SECURITY DEFINER,
-- because readers cannot call functions of this schema by name.
CREATE OR REPLACE FUNCTION hookfast_data.visible_key(key text, payload jsonb, fields text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    secrets text[];
BEGIN
    IF key IS NULL OR cardinality(fields) = 0 THEN
        RETURN key;
    END IF;
    IF jsonb_path_exists(payload, 'strict $.**{64}') THEN
        RETURN '***';
    END IF;
    secrets := hookfast_data.secret_values(payload, fields);
    -- Shorter values occur in a key by chance, unless they are one of its parts.
    RETURN CASE WHEN payload IS NULL OR key = ANY (secrets) OR regexp_split_to_array(key, '[^A-Za-z0-9]+') && secrets
            OR hookfast_data.contains_secret(key, ARRAY(SELECT s FROM unnest(secrets) s WHERE length(s) >= 4))
        THEN '***' ELSE key END;
EXCEPTION WHEN OTHERS THEN
    RETURN '***';
END $$;
COMMENT ON FUNCTION hookfast_data.visible_key IS
    'An idempotency key, ordering key or search term as readers see it: *** if it contains a secret';
-- No REVOKE: readers call it through a view.
