CREATE OR REPLACE FUNCTION hookfast_data.airalo_lock_name(of_source smallint, kind text, value text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN of_source::text || ':' || kind || ':' || value;
COMMENT ON FUNCTION hookfast_data.airalo_lock_name IS
    'What a request, an order or a description of a source is locked by; null where the value is null';
REVOKE ALL ON FUNCTION hookfast_data.airalo_lock_name FROM PUBLIC;
