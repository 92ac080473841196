-- The application's own table, into which the two clients write.
CREATE SCHEMA IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.ledger (
    entry bigint GENERATED ALWAYS AS IDENTITY,
    handler text NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    payload jsonb
);
