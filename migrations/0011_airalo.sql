-- Airalo's orders, SIMs, low data and credit, and the expected results. A shop can join its own tables with the views.

CREATE TABLE hookfast_data.airalo_orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id smallint NOT NULL REFERENCES hookfast_data.sources,
    request_id text,
    order_id text,
    state text NOT NULL CHECK (state IN ('failed', 'completed')),
    rank smallint NOT NULL,
    code text,
    package_id text,
    package text,
    description text,
    quantity numeric,
    validity_days numeric,
    data text,
    text text,
    voice text,
    currency text,
    price numeric,
    net_price numeric,
    total_amount_paid numeric,
    pricing_model text,
    reason text,
    ordered_at timestamptz,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    conflicts uuid[] NOT NULL DEFAULT '{}',
    UNIQUE (source_id, request_id)
);
CREATE INDEX airalo_orders_order ON hookfast_data.airalo_orders (source_id, order_id);
CREATE INDEX airalo_orders_description ON hookfast_data.airalo_orders (source_id, description);
CREATE INDEX airalo_orders_received ON hookfast_data.airalo_orders (received_at);
CREATE INDEX airalo_orders_double ON hookfast_data.airalo_orders (id) WHERE cardinality(conflicts) > 0;
-- Without it the planner takes a third of the orders for possible double purchases.
CREATE STATISTICS hookfast_data.airalo_orders_conflicts ON (cardinality(conflicts)) FROM hookfast_data.airalo_orders;
COMMENT ON TABLE hookfast_data.airalo_orders IS
    'Results of orders: one row per request, or per order if no request_id is known';
COMMENT ON COLUMN hookfast_data.airalo_orders.id IS 'Hookfast''s id of the row';
COMMENT ON COLUMN hookfast_data.airalo_orders.source_id IS 'The source, which is one account';
COMMENT ON COLUMN hookfast_data.airalo_orders.request_id IS
    'The request_id that Airalo returned for the asynchronous order; null if it is not known';
COMMENT ON COLUMN hookfast_data.airalo_orders.order_id IS 'Airalo''s number of the first order of this request';
COMMENT ON COLUMN hookfast_data.airalo_orders.state IS 'failed or completed; completed outranks failed';
COMMENT ON COLUMN hookfast_data.airalo_orders.rank IS
    'The rank of the result: 1 failed, 2 completed by a conflict, 3 completed';
COMMENT ON COLUMN hookfast_data.airalo_orders.code IS 'Airalo''s code of the order';
COMMENT ON COLUMN hookfast_data.airalo_orders.package_id IS 'The package that was ordered';
COMMENT ON COLUMN hookfast_data.airalo_orders.package IS 'The name of the package';
COMMENT ON COLUMN hookfast_data.airalo_orders.description IS 'The description that the shop gave to the order';
COMMENT ON COLUMN hookfast_data.airalo_orders.quantity IS 'The number of SIMs';
COMMENT ON COLUMN hookfast_data.airalo_orders.validity_days IS 'How long a SIM is valid, in days';
COMMENT ON COLUMN hookfast_data.airalo_orders.data IS 'The data volume, as Airalo writes it';
COMMENT ON COLUMN hookfast_data.airalo_orders.text IS 'The number of text messages';
COMMENT ON COLUMN hookfast_data.airalo_orders.voice IS 'The number of minutes';
COMMENT ON COLUMN hookfast_data.airalo_orders.currency IS 'The currency of the prices';
COMMENT ON COLUMN hookfast_data.airalo_orders.price IS 'The price';
COMMENT ON COLUMN hookfast_data.airalo_orders.net_price IS 'The partner''s price';
COMMENT ON COLUMN hookfast_data.airalo_orders.total_amount_paid IS 'The amount that was paid';
COMMENT ON COLUMN hookfast_data.airalo_orders.pricing_model IS 'net_pricing or discount_pricing';
COMMENT ON COLUMN hookfast_data.airalo_orders.reason IS 'Why the order failed';
COMMENT ON COLUMN hookfast_data.airalo_orders.ordered_at IS 'When Airalo created the order';
COMMENT ON COLUMN hookfast_data.airalo_orders.event_id IS 'The event with this result';
COMMENT ON COLUMN hookfast_data.airalo_orders.received_at IS 'When that event was received';
COMMENT ON COLUMN hookfast_data.airalo_orders.conflicts IS
    'The events with another result of the same request, or of another order with the same description. Each is a '
    'possible double purchase';

CREATE TABLE hookfast_data.airalo_sims (
    source_id smallint NOT NULL REFERENCES hookfast_data.sources,
    iccid text NOT NULL,
    order_row bigint NOT NULL REFERENCES hookfast_data.airalo_orders,
    order_id text,
    conflict boolean NOT NULL,
    sim_id text,
    lpa text,
    matching_id text,
    qrcode text,
    qrcode_url text,
    direct_apple_installation_url text,
    confirmation_code text,
    msisdn text,
    apn_type text,
    apn_value text,
    is_roaming boolean,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, iccid)
);
CREATE INDEX airalo_sims_order ON hookfast_data.airalo_sims (order_row);
CREATE INDEX airalo_sims_airalo_order ON hookfast_data.airalo_sims (source_id, order_id);
CREATE INDEX airalo_sims_event ON hookfast_data.airalo_sims (event_id);
COMMENT ON TABLE hookfast_data.airalo_sims IS 'The SIMs of completed orders, including those of conflicts';
COMMENT ON COLUMN hookfast_data.airalo_sims.source_id IS 'The source, which is one account';
COMMENT ON COLUMN hookfast_data.airalo_sims.iccid IS 'The ICCID of the SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.order_row IS 'The row of the request that the SIM belongs to';
COMMENT ON COLUMN hookfast_data.airalo_sims.order_id IS 'Airalo''s number of the order that the SIM belongs to';
COMMENT ON COLUMN hookfast_data.airalo_sims.conflict IS 'Whether only a conflict contained the SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.sim_id IS 'Airalo''s number of the SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.lpa IS 'The server that the SIM is installed from';
COMMENT ON COLUMN hookfast_data.airalo_sims.matching_id IS 'Secret: anyone who has it can install the SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.qrcode IS 'Secret: the content of the QR code';
COMMENT ON COLUMN hookfast_data.airalo_sims.qrcode_url IS 'Secret: the address of the QR code''s image';
COMMENT ON COLUMN hookfast_data.airalo_sims.direct_apple_installation_url IS 'Secret: installs the SIM on iOS';
COMMENT ON COLUMN hookfast_data.airalo_sims.confirmation_code IS 'Secret: required during the installation';
COMMENT ON COLUMN hookfast_data.airalo_sims.msisdn IS 'The phone number';
COMMENT ON COLUMN hookfast_data.airalo_sims.apn_type IS 'automatic or manual';
COMMENT ON COLUMN hookfast_data.airalo_sims.apn_value IS 'The name of the access point';
COMMENT ON COLUMN hookfast_data.airalo_sims.is_roaming IS 'Whether roaming has to be switched on';
COMMENT ON COLUMN hookfast_data.airalo_sims.event_id IS 'The newest event with this SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.received_at IS 'When that event was received';

CREATE TABLE hookfast_data.airalo_low_data (
    source_id smallint NOT NULL REFERENCES hookfast_data.sources,
    iccid text NOT NULL,
    package text NOT NULL,
    level text NOT NULL,
    remaining_percentage numeric,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, iccid, package)
);
CREATE INDEX airalo_low_data_event ON hookfast_data.airalo_low_data (event_id);
CREATE INDEX airalo_low_data_received ON hookfast_data.airalo_low_data (received_at);
COMMENT ON TABLE hookfast_data.airalo_low_data IS 'The newest notification of each SIM''s package';
COMMENT ON COLUMN hookfast_data.airalo_low_data.source_id IS 'The source, which is one account';
COMMENT ON COLUMN hookfast_data.airalo_low_data.iccid IS 'The ICCID of the SIM';
COMMENT ON COLUMN hookfast_data.airalo_low_data.package IS 'The name of the package; empty if Airalo gave none';
COMMENT ON COLUMN hookfast_data.airalo_low_data.level IS
    '75 and 90 (percent used), 3days and 1days (until the end), or as Airalo wrote it';
COMMENT ON COLUMN hookfast_data.airalo_low_data.remaining_percentage IS 'The remaining data in percent';
COMMENT ON COLUMN hookfast_data.airalo_low_data.event_id IS 'The event with this notification';
COMMENT ON COLUMN hookfast_data.airalo_low_data.received_at IS 'When that event was received';

CREATE TABLE hookfast_data.airalo_credit (
    source_id smallint PRIMARY KEY REFERENCES hookfast_data.sources,
    threshold text,
    remaining numeric,
    message text,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL
);
COMMENT ON TABLE hookfast_data.airalo_credit IS 'The newest credit-limit notification of each account';
COMMENT ON COLUMN hookfast_data.airalo_credit.source_id IS 'The source, which is one account';
COMMENT ON COLUMN hookfast_data.airalo_credit.threshold IS '50, 70, 80, 90 or other: percent of the limit used';
COMMENT ON COLUMN hookfast_data.airalo_credit.remaining IS 'The remaining credit; Airalo names no currency';
COMMENT ON COLUMN hookfast_data.airalo_credit.message IS 'Airalo''s message';
COMMENT ON COLUMN hookfast_data.airalo_credit.event_id IS 'The event with this notification';
COMMENT ON COLUMN hookfast_data.airalo_credit.received_at IS 'When that event was received';

-- A separate table, so that a long transaction that writes here blocks no result.
CREATE TABLE hookfast_data.airalo_expected (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id smallint NOT NULL REFERENCES hookfast_data.sources,
    request_id text,
    description text NOT NULL CHECK (description <> '' AND length(description) <= 200),
    placed_at timestamptz NOT NULL DEFAULT now(),
    expected_by timestamptz NOT NULL,
    unknown_why text,
    check_at timestamptz,
    checks integer NOT NULL DEFAULT 0,
    last_check_result text,
    overdue_at timestamptz,
    UNIQUE (source_id, request_id)
);
CREATE INDEX airalo_expected_description ON hookfast_data.airalo_expected (source_id, description);
CREATE UNIQUE INDEX airalo_expected_unknown ON hookfast_data.airalo_expected (source_id, description)
    WHERE request_id IS NULL;
CREATE INDEX airalo_expected_check ON hookfast_data.airalo_expected (check_at) WHERE check_at IS NOT NULL;
COMMENT ON TABLE hookfast_data.airalo_expected IS 'Orders whose results are expected';
COMMENT ON COLUMN hookfast_data.airalo_expected.id IS 'Hookfast''s id of the row';
COMMENT ON COLUMN hookfast_data.airalo_expected.source_id IS 'The source, which is one account';
COMMENT ON COLUMN hookfast_data.airalo_expected.request_id IS
    'The request_id that Airalo returned for the order; null if no answer arrived';
COMMENT ON COLUMN hookfast_data.airalo_expected.description IS
    'The description of the order, by which it is looked for';
COMMENT ON COLUMN hookfast_data.airalo_expected.placed_at IS 'When the order was placed';
COMMENT ON COLUMN hookfast_data.airalo_expected.expected_by IS 'When the order becomes overdue';
COMMENT ON COLUMN hookfast_data.airalo_expected.unknown_why IS
    'Why it is not known whether Airalo accepted the order; null if it did';
COMMENT ON COLUMN hookfast_data.airalo_expected.check_at IS
    'When it is next looked for in Airalo''s list; null once it is settled, infinity if it is not looked for any more';
COMMENT ON COLUMN hookfast_data.airalo_expected.checks IS 'How often it was looked for';
COMMENT ON COLUMN hookfast_data.airalo_expected.last_check_result IS 'The result of the last check';
COMMENT ON COLUMN hookfast_data.airalo_expected.overdue_at IS 'When the alert about the overdue order was raised';

INSERT INTO hookfast_data.alert_types VALUES
    ('airalo.order.overdue',
        'the result of an order has not arrived in time, and Airalo''s list of orders does not contain it');

INSERT INTO hookfast_data.erase_hooks (function) VALUES ('airalo_erase_events');
