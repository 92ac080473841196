-- The text may be encoded for a URL, up to three times. It is compared byte by byte, each as a LATIN1 character,
-- because the decoded text need not be UTF-8.
CREATE OR REPLACE FUNCTION hookfast_data.contains_secret(value text, secrets text[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off AS $$
DECLARE
    decoded text := value;
    encoded boolean;
BEGIN
    FOR i IN 0..3 LOOP
        IF EXISTS (SELECT FROM unnest(secrets) s WHERE strpos(decoded, s) > 0) THEN
            RETURN true;
        END IF;
        encoded := decoded ~ '%[0-9A-Fa-f]{2}';
        EXIT WHEN NOT encoded AND (i > 0 OR strpos(decoded, '+') = 0);
        IF i = 0 THEN
            decoded := translate(convert_from(convert_to(decoded, 'UTF8'), 'LATIN1'), '+', ' ');
            secrets := ARRAY(SELECT convert_from(convert_to(translate(s, '+', ' '), 'UTF8'), 'LATIN1')
                FROM unnest(secrets) s);
        END IF;
        decoded := (
            SELECT translate(string_agg(CASE WHEN p.piece[1] ~ '^%.'
                THEN convert_from(decode(replace(p.piece[1], '%', ''), 'hex'), 'LATIN1') ELSE p.piece[1] END, ''
                ORDER BY p.ord), '+', ' ')
            FROM regexp_matches(replace(decoded, '%00', ''), '(?:%[0-9A-Fa-f]{2})+|[^%]+|%', 'g')
                WITH ORDINALITY AS p (piece, ord));
    END LOOP;
    RETURN false;
END $$;
COMMENT ON FUNCTION hookfast_data.contains_secret IS
    'Whether one of these texts is part of another, including its URL-encoded forms';
REVOKE ALL ON FUNCTION hookfast_data.contains_secret FROM PUBLIC;
