-- The texts are Hookfast's own, because Postgres would quote the payload.
CREATE OR REPLACE FUNCTION hookfast_data.payload_error(body bytea) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET debug_print_parse = off
    SET debug_print_rewritten = off SET debug_print_plan = off AS $$
BEGIN
    PERFORM convert_from(body, 'UTF8')::jsonb;
    RETURN NULL;
EXCEPTION
    WHEN character_not_in_repertoire OR untranslatable_character THEN RETURN 'contains a NUL, or is not UTF-8';
    WHEN invalid_text_representation THEN RETURN 'is not JSON';
    WHEN OTHERS THEN RETURN 'is JSON that Postgres cannot hold as jsonb';
END $$;
COMMENT ON FUNCTION hookfast_data.payload_error IS
    'Why a body is not shown as jsonb, in a few words that quote none of it; null if it is shown';
-- No REVOKE: readers call it through a view.
