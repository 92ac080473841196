CREATE OR REPLACE FUNCTION hookfast_data.airalo_lock_name(of_source smallint, kind text, value text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN of_source::text || ':' || kind || ':' || value;
COMMENT ON FUNCTION hookfast_data.airalo_lock_name IS
    'The name of the lock of a request, an order or a description of a source; null if the value is null';
REVOKE ALL ON FUNCTION hookfast_data.airalo_lock_name FROM PUBLIC;
