CREATE OR REPLACE FUNCTION hookfast_data.event_id_time(id uuid) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0);
COMMENT ON FUNCTION hookfast_data.event_id_time IS 'The time in an event id, to the millisecond';
-- No REVOKE: readers call it through a view.
