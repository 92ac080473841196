CREATE OR REPLACE FUNCTION hookfast_data.visible_headers(headers jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off
    -- An application may enqueue any JSON as headers, and one event must not fail a list of many.
    RETURN (SELECT coalesce(jsonb_object_agg(h.key, h.value), '{}')
        FROM jsonb_each(CASE jsonb_typeof(headers) WHEN 'object' THEN headers END) h WHERE h.key IN (
        'content-type', 'content-length', 'content-encoding', 'date', 'user-agent', 'webhook-id', 'webhook-timestamp',
        'x-github-event', 'x-github-delivery', 'x-shopify-topic', 'x-shopify-webhook-id', 'x-slack-request-timestamp'));
COMMENT ON FUNCTION hookfast_data.visible_headers IS 'The headers that readers see';
-- No REVOKE: readers call it through a view.
