-- Airalo's orders, SIMs, low data and credit, and the results that are awaited. A shop's own tables join the views.

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
COMMENT ON TABLE hookfast_data.airalo_orders IS
    'Results of orders: one row a request, or an order where no request_id is known';
COMMENT ON COLUMN hookfast_data.airalo_orders.id IS 'Ours';
COMMENT ON COLUMN hookfast_data.airalo_orders.source_id IS 'The account';
COMMENT ON COLUMN hookfast_data.airalo_orders.request_id IS
    'What the asynchronous order was answered with; null where none is known';
COMMENT ON COLUMN hookfast_data.airalo_orders.order_id IS
    'Airalo''s number of the first order that this request led to';
COMMENT ON COLUMN hookfast_data.airalo_orders.state IS 'failed or completed; completed outranks failed';
COMMENT ON COLUMN hookfast_data.airalo_orders.rank IS
    'What outranks what: 1 failed, 2 completed by a conflict, 3 completed';
COMMENT ON COLUMN hookfast_data.airalo_orders.code IS 'Airalo''s code of the order';
COMMENT ON COLUMN hookfast_data.airalo_orders.package_id IS 'What was ordered';
COMMENT ON COLUMN hookfast_data.airalo_orders.package IS 'Its name';
COMMENT ON COLUMN hookfast_data.airalo_orders.description IS 'What whoever ordered wrote to it';
COMMENT ON COLUMN hookfast_data.airalo_orders.quantity IS 'SIMs';
COMMENT ON COLUMN hookfast_data.airalo_orders.validity_days IS 'How long a SIM is valid, in days';
COMMENT ON COLUMN hookfast_data.airalo_orders.data IS 'The data volume, as Airalo writes it';
COMMENT ON COLUMN hookfast_data.airalo_orders.text IS 'Text messages';
COMMENT ON COLUMN hookfast_data.airalo_orders.voice IS 'Minutes';
COMMENT ON COLUMN hookfast_data.airalo_orders.currency IS 'Of the prices';
COMMENT ON COLUMN hookfast_data.airalo_orders.price IS 'The price';
COMMENT ON COLUMN hookfast_data.airalo_orders.net_price IS 'The partner''s price';
COMMENT ON COLUMN hookfast_data.airalo_orders.total_amount_paid IS 'What was paid';
COMMENT ON COLUMN hookfast_data.airalo_orders.pricing_model IS 'net_pricing or discount_pricing';
COMMENT ON COLUMN hookfast_data.airalo_orders.reason IS 'Why it failed';
COMMENT ON COLUMN hookfast_data.airalo_orders.ordered_at IS 'When Airalo made the order';
COMMENT ON COLUMN hookfast_data.airalo_orders.event_id IS 'The event that says so';
COMMENT ON COLUMN hookfast_data.airalo_orders.received_at IS 'When it came';
COMMENT ON COLUMN hookfast_data.airalo_orders.conflicts IS
    'The events with another result of the same request, or of another order with the same description: a '
    'possible double purchase each';

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
COMMENT ON TABLE hookfast_data.airalo_sims IS 'The SIMs of completed orders, those of conflicts too';
COMMENT ON COLUMN hookfast_data.airalo_sims.source_id IS 'The account';
COMMENT ON COLUMN hookfast_data.airalo_sims.iccid IS 'The SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.order_row IS 'The request it came for';
COMMENT ON COLUMN hookfast_data.airalo_sims.order_id IS 'The order it came in';
COMMENT ON COLUMN hookfast_data.airalo_sims.conflict IS 'Whether only a conflict brought it';
COMMENT ON COLUMN hookfast_data.airalo_sims.sim_id IS 'Airalo''s number of it';
COMMENT ON COLUMN hookfast_data.airalo_sims.lpa IS 'The server it is installed from';
COMMENT ON COLUMN hookfast_data.airalo_sims.matching_id IS 'Secret: who has it can install the SIM';
COMMENT ON COLUMN hookfast_data.airalo_sims.qrcode IS 'Secret: what the QR code says';
COMMENT ON COLUMN hookfast_data.airalo_sims.qrcode_url IS 'Secret: its picture';
COMMENT ON COLUMN hookfast_data.airalo_sims.direct_apple_installation_url IS 'Secret: installs it on iOS';
COMMENT ON COLUMN hookfast_data.airalo_sims.confirmation_code IS 'Secret: asked for at the installation';
COMMENT ON COLUMN hookfast_data.airalo_sims.msisdn IS 'Its phone number';
COMMENT ON COLUMN hookfast_data.airalo_sims.apn_type IS 'automatic or manual';
COMMENT ON COLUMN hookfast_data.airalo_sims.apn_value IS 'The access point''s name';
COMMENT ON COLUMN hookfast_data.airalo_sims.is_roaming IS 'Whether roaming has to be switched on';
COMMENT ON COLUMN hookfast_data.airalo_sims.event_id IS 'The newest event with it';
COMMENT ON COLUMN hookfast_data.airalo_sims.received_at IS 'When that came';

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
COMMENT ON TABLE hookfast_data.airalo_low_data IS 'The newest notification of each SIM''s package';
COMMENT ON COLUMN hookfast_data.airalo_low_data.source_id IS 'The account';
COMMENT ON COLUMN hookfast_data.airalo_low_data.iccid IS 'The SIM';
COMMENT ON COLUMN hookfast_data.airalo_low_data.package IS 'The package''s name; empty where Airalo gave none';
COMMENT ON COLUMN hookfast_data.airalo_low_data.level IS
    '75 and 90 (percent used), 3days and 1days (to the end), or as Airalo wrote it';
COMMENT ON COLUMN hookfast_data.airalo_low_data.remaining_percentage IS 'What is left';
COMMENT ON COLUMN hookfast_data.airalo_low_data.event_id IS 'The event that says so';
COMMENT ON COLUMN hookfast_data.airalo_low_data.received_at IS 'When it came';

CREATE TABLE hookfast_data.airalo_credit (
    source_id smallint PRIMARY KEY REFERENCES hookfast_data.sources,
    threshold text,
    remaining numeric,
    message text,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL
);
COMMENT ON TABLE hookfast_data.airalo_credit IS 'The newest credit-limit notification of each account';
COMMENT ON COLUMN hookfast_data.airalo_credit.source_id IS 'The account';
COMMENT ON COLUMN hookfast_data.airalo_credit.threshold IS
    '50, 70, 80, 90 or other: percent of the limit that are used';
COMMENT ON COLUMN hookfast_data.airalo_credit.remaining IS 'What is left; Airalo names no currency';
COMMENT ON COLUMN hookfast_data.airalo_credit.message IS 'What Airalo wrote';
COMMENT ON COLUMN hookfast_data.airalo_credit.event_id IS 'The event that says so';
COMMENT ON COLUMN hookfast_data.airalo_credit.received_at IS 'When it came';

-- A table of its own: whoever writes here in a long transaction keeps no result waiting.
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
COMMENT ON TABLE hookfast_data.airalo_expected IS 'Results that somebody waits for';
COMMENT ON COLUMN hookfast_data.airalo_expected.id IS 'Ours';
COMMENT ON COLUMN hookfast_data.airalo_expected.source_id IS 'The account';
COMMENT ON COLUMN hookfast_data.airalo_expected.request_id IS
    'What the order was answered with; null where the answer did not come';
COMMENT ON COLUMN hookfast_data.airalo_expected.description IS
    'What the order''s description says, by which it is looked for';
COMMENT ON COLUMN hookfast_data.airalo_expected.placed_at IS 'When it was ordered';
COMMENT ON COLUMN hookfast_data.airalo_expected.expected_by IS 'When it is overdue';
COMMENT ON COLUMN hookfast_data.airalo_expected.unknown_why IS
    'Why it is not known whether Airalo took the order; null where it did';
COMMENT ON COLUMN hookfast_data.airalo_expected.check_at IS
    'When it is looked for in Airalo''s list next; null once it is settled, infinity where it is looked for no '
    'more';
COMMENT ON COLUMN hookfast_data.airalo_expected.checks IS 'How often it was looked for';
COMMENT ON COLUMN hookfast_data.airalo_expected.last_check_result IS 'What the last look found';
COMMENT ON COLUMN hookfast_data.airalo_expected.overdue_at IS 'When it was told that it is overdue';

INSERT INTO hookfast_data.alert_types VALUES
    ('airalo.order.overdue', 'the result of an order has not come in time, and Airalo''s list of orders has none');

INSERT INTO hookfast_data.erase_hooks (function) VALUES ('airalo_erase_events');
