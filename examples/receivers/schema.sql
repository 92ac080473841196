-- The shop's own tables, into which the three receivers write.
CREATE SCHEMA IF NOT EXISTS shop;
-- The ids of handled webhooks, so that each is handled once.
CREATE TABLE IF NOT EXISTS shop.received (
    webhook_id text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS shop.esims (
    iccid text PRIMARY KEY,
    request_id text,
    order_id text,
    description text,
    qrcode text
);
-- Problems for a person: a failed order, or a request that led to a second order.
CREATE TABLE IF NOT EXISTS shop.alerts (
    alert bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    request_id text,
    message text
);
