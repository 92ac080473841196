-- What the three receivers write into: the shop's own tables.
CREATE SCHEMA IF NOT EXISTS shop;
-- Each webhook once: what is here has been done.
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
-- What a person has to look at: an order that failed, a request that led to a second order.
CREATE TABLE IF NOT EXISTS shop.alerts (
    alert bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    request_id text,
    message text
);
