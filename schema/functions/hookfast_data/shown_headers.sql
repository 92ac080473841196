CREATE OR REPLACE FUNCTION hookfast_data.shown_headers(headers jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT coalesce(jsonb_object_agg(h.key, h.value), '{}') FROM jsonb_each(headers) h WHERE h.key IN (
        'content-type', 'content-length', 'content-encoding', 'date', 'user-agent', 'webhook-id', 'webhook-timestamp',
        'x-github-event', 'x-github-delivery', 'x-shopify-topic', 'x-shopify-webhook-id', 'x-slack-request-timestamp'));
COMMENT ON FUNCTION hookfast_data.shown_headers IS 'The headers that readers see';
