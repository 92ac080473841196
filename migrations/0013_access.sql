-- Access to the console.

CREATE TABLE hookfast_data.access (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_oid oid NOT NULL,
    login_oid oid NOT NULL,
    logins_required boolean NOT NULL,
    role_oid oid NOT NULL,
    ticket_sha256 bytea NOT NULL UNIQUE,
    session_sha256 bytea UNIQUE,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ticket_expires_at timestamptz NOT NULL,
    redeemed_at timestamptz,
    seen_at timestamptz,
    acts_until timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_because text,
    CHECK (num_nulls(session_sha256, redeemed_at, seen_at, acts_until, expires_at) IN (0, 5)),
    CHECK (num_nulls(ended_at, ended_because) IN (0, 2))
) WITH (fillfactor = 70);
COMMENT ON TABLE hookfast_data.access IS
    'Access of people to the console: a ticket, and the session that it was redeemed for';
COMMENT ON COLUMN hookfast_data.access.id IS 'In order of issue';
COMMENT ON COLUMN hookfast_data.access.person_oid IS
    'The role of the person. An oid, so that a role that was dropped and created again has no access';
COMMENT ON COLUMN hookfast_data.access.login_oid IS 'The login that requested the ticket';
COMMENT ON COLUMN hookfast_data.access.logins_required IS
    'Whether the login could log in when it requested the ticket: if it no longer can, the access ends';
COMMENT ON COLUMN hookfast_data.access.role_oid IS 'The role that the console takes for this person';
COMMENT ON COLUMN hookfast_data.access.ticket_sha256 IS 'The SHA-256 hash of the ticket';
COMMENT ON COLUMN hookfast_data.access.session_sha256 IS 'The SHA-256 hash of the session''s key in the cookie';
COMMENT ON COLUMN hookfast_data.access.issued_at IS 'When the ticket was issued';
COMMENT ON COLUMN hookfast_data.access.ticket_expires_at IS 'The ticket cannot be redeemed after this time';
COMMENT ON COLUMN hookfast_data.access.redeemed_at IS 'When the session began';
COMMENT ON COLUMN hookfast_data.access.seen_at IS 'The last request of the session, to the minute';
COMMENT ON COLUMN hookfast_data.access.acts_until IS
    'Until when the session has the role; after that it has the reader''s role';
COMMENT ON COLUMN hookfast_data.access.expires_at IS 'When the session ends at the latest';
COMMENT ON COLUMN hookfast_data.access.ended_at IS 'When the access was revoked or ended';
COMMENT ON COLUMN hookfast_data.access.ended_because IS 'Why it ended';
