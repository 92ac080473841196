-- Hookfast's own events: the source hookfast, stored and routed like any other, to handlers that name them.

CREATE TABLE hookfast_data.active_alerts (
    alert_type text NOT NULL,
    subject text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_id uuid,
    detail text NOT NULL DEFAULT '',
    muted_at timestamptz,
    muted_by text,
    muted_why text,
    PRIMARY KEY (alert_type, subject),
    CHECK (num_nulls(muted_at, muted_by, muted_why) IN (0, 3))
);
COMMENT ON TABLE hookfast_data.active_alerts IS
    'Conditions that an alert reported and that have not ended';
COMMENT ON COLUMN hookfast_data.active_alerts.alert_type IS 'The type of the alert';
COMMENT ON COLUMN hookfast_data.active_alerts.subject IS 'The handler or source of the alert';
COMMENT ON COLUMN hookfast_data.active_alerts.since IS 'When the condition began';
COMMENT ON COLUMN hookfast_data.active_alerts.event_id IS 'The alert; null until the same transaction has raised it';
COMMENT ON COLUMN hookfast_data.active_alerts.detail IS
    'What a change of the condition changes. The alert is then no longer muted';
COMMENT ON COLUMN hookfast_data.active_alerts.muted_at IS 'When it was muted; null if it is not';
COMMENT ON COLUMN hookfast_data.active_alerts.muted_by IS 'The person who muted it: a database role';
COMMENT ON COLUMN hookfast_data.active_alerts.muted_why IS 'The reason';

CREATE TABLE hookfast_data.alert_types (
    type text PRIMARY KEY,
    message text NOT NULL
);
COMMENT ON TABLE hookfast_data.alert_types IS 'The alert types. docs/RUNBOOK.md has a section for each';
COMMENT ON COLUMN hookfast_data.alert_types.type IS 'The type of the event';
COMMENT ON COLUMN hookfast_data.alert_types.message IS 'What the alert means';
INSERT INTO hookfast_data.alert_types VALUES
    ('hookfast.delivery.dead', 'a delivery is a dead letter: one alert each'),
    ('hookfast.handler.paused', 'a handler is paused, by an operator or because its receiver answered 410'),
    ('hookfast.handler.opened',
        'a handler''s circuit breaker is open: its receiver is unavailable, and its deliveries wait'),
    ('hookfast.handler.unserved', 'a handler''s deliveries have been ready for a minute, and no live worker serves it'),
    ('hookfast.handler.failing', 'a handler''s last attempts failed'),
    ('hookfast.handler.behind', 'a handler''s deliveries have been ready for longer than its behind_after'),
    ('hookfast.source.silent', 'a source has sent nothing for longer than is usual at this time of the day'),
    ('hookfast.source.rejecting', 'most of a source''s requests are rejected'),
    ('hookfast.source.all_rejected',
        'all of a source''s last requests were rejected for 15 minutes or more, and none was genuine since'),
    ('hookfast.source.unrouted', 'more than a tenth of a source''s events match no handler'),
    ('hookfast.resolved', 'a condition that was reported earlier has ended'),
    ('hookfast.lease.lost', 'a worker or a pulling client disappeared while it held deliveries'),
    ('hookfast.conflict',
        'an event has the key of an earlier event and other content: a possible double purchase'),
    ('hookfast.quarantine.full',
        'a source''s quarantine accepts no more requests, and requests with a wrong signature get 503'),
    ('hookfast.retention.announced',
        'retention will soon purge a class of data for the first time, or for the first time since it was shortened');

INSERT INTO hookfast_data.sources (name, kind, secret_fields)
VALUES ('hookfast', 'hookfast', '{why,error,idempotency_key}');
