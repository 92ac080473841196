-- A key may come from a secret member, alone or with others. Where the payload does not tell (it was erased, is none
-- that jsonb can hold, or is too deep to be looked at as a whole), neither does the key.
-- SECURITY DEFINER: readers may call nothing of this schema by its name.
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
    -- Shorter ones stand in a key by chance, unless they are one of its parts.
    RETURN CASE WHEN payload IS NULL OR key = ANY (secrets) OR regexp_split_to_array(key, '[^A-Za-z0-9]+') && secrets
            OR hookfast_data.contains_secret(key, ARRAY(SELECT s FROM unnest(secrets) s WHERE length(s) >= 4))
        THEN '***' ELSE key END;
EXCEPTION WHEN OTHERS THEN
    RETURN '***';
END $$;
COMMENT ON FUNCTION hookfast_data.visible_key IS
    'An idempotency key, ordering key or search term as readers see it: *** where a secret stands in it';
