-- A source, two handlers, and the partitions of a history. Parameters: from, days (1 is yesterday).
UPDATE hookfast_data.event_cursors SET upto = hookfast_data.event_id_at(clock_timestamp());
INSERT INTO hookfast_data.sources (name, kind, search_fields, secret_fields)
VALUES ('airalo', 'airalo', '{code,iccid,id,request_id}', '{matching_id,qrcode}')
ON CONFLICT (name) DO UPDATE SET search_fields = excluded.search_fields, secret_fields = excluded.secret_fields;
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version)
VALUES ('shop', 'http', '{airalo.*}', 12, 0), ('crm', 'http', '{airalo.order.*}', 12, 0) ON CONFLICT DO NOTHING;
DO $$
DECLARE
    day date;
    part text;
BEGIN
    FOR day IN SELECT (current_date - d) FROM generate_series(${from}, ${days}) d LOOP
        FOREACH part IN ARRAY ARRAY['events', 'attempts', 'search_terms'] LOOP
            CONTINUE WHEN to_regclass('hookfast_data.' || part || to_char(day, '_YYYYMMDD')) IS NOT NULL;
            EXECUTE format('CREATE TABLE hookfast_data.%1$I (LIKE hookfast_data.%2$I INCLUDING ALL)',
                part || to_char(day, '_YYYYMMDD'), part);
            EXECUTE
                format('ALTER TABLE hookfast_data.%I ATTACH PARTITION hookfast_data.%I FOR VALUES FROM (%L) TO (%L)',
                    part, part || to_char(day, '_YYYYMMDD'),
                hookfast_data.event_id_at(day::timestamp AT TIME ZONE 'UTC'),
                    hookfast_data.event_id_at((day + 1)::timestamp AT TIME ZONE 'UTC'));
        END LOOP;
    END LOOP;
END $$;
