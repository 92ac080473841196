//! The settings of our sessions. What the database or the role sets (`ALTER DATABASE … SET`, `ALTER ROLE … SET`) may
//! be for other programs; whatever would change the meaning of our statements is therefore set by us.

use super::Role;
use sqlx::PgConnection;
use std::time::Duration;

/// For every session. sqlx itself sets `client_encoding`, `DateStyle`, `TimeZone` and `extra_float_digits`.
///
/// `jit = off`: the routing join otherwise costs 160–340 ms a statement. The `debug_print` settings and
/// `log_parameter_max_length_on_error` would write payloads into the server's log. The idle and TCP settings have the
/// server, too, let go of a connection that we have lost, and of its locks: sqlx cannot set keepalives on our side; the
/// deadlines are there for that.
///
/// Not `default_transaction_read_only`: providers turn it on when the disk is full, and Hookfast waits.
const ALWAYS: [(&str, &str); 21] = [
    ("jit", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("client_min_messages", "warning"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("idle_session_timeout", "10min"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "60s"),
    ("plan_cache_mode", "auto"),
    ("row_security", "on"),
    ("bytea_output", "hex"),
    ("IntervalStyle", "postgres"),
    ("standard_conforming_strings", "on"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    ("debug_print_parse", "off"),
    ("debug_print_rewritten", "off"),
    ("debug_print_plan", "off"),
    ("log_parameter_max_length_on_error", "0"),
];

/// Settings that not every version of Postgres has, or not every role may set: those are refused at the start of a
/// session, so they are set afterwards. `session_replication_role` needs a privilege; without it, it stays as it is,
/// and the schema has neither triggers nor cascading foreign keys that would miss.
pub(super) const AFTERWARDS: &str = "SELECT pg_catalog.set_config(s.name, s.value, false) \
    FROM (VALUES ('transaction_timeout', '0', true), ('restrict_nonsystem_relation_kind', '', true), \
        ('session_replication_role', 'origin', \
            pg_catalog.has_parameter_privilege('session_replication_role', 'SET'))) AS s (name, value, may) \
    WHERE s.may AND pg_catalog.current_setting(s.name, true) <> s.value";

impl Role {
    /// How long a statement waits for a row that somebody holds. A settlement comes again, a sender has to. `None` is
    /// without end.
    pub(super) fn lock_timeout(self) -> Option<Duration> {
        match self {
            Self::Ingest | Self::Quarantine | Self::Claim => Some(Duration::from_secs(1)),
            Self::Settle => Some(Duration::from_millis(200)),
            Self::Lease | Self::Transaction | Self::General => None,
        }
    }

    /// What a session begins with. `synchronous_commit = on` is ours to say, since a 200 depends on it.
    pub(super) fn settings(self) -> Vec<(&'static str, String)> {
        let mut settings: Vec<_> = ALWAYS
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let mut set = |name, value: &str| settings.push((name, value.to_owned()));
        set(
            "synchronous_commit",
            if self == Self::Claim { "off" } else { "on" },
        );
        set(
            "statement_timeout",
            &self.timeouts().0.as_millis().to_string(),
        );
        // A handler's SQL may rely on what its owner set for the role; our own statements beside it are qualified.
        if self != Self::Transaction {
            set("search_path", "pg_catalog,pg_temp");
            set(
                "lock_timeout",
                &self
                    .lock_timeout()
                    .unwrap_or_default()
                    .as_millis()
                    .to_string(),
            );
        }
        // With the ctid joins these keep the plans of claim and settle the same in every state of the tables.
        if matches!(self, Self::Claim | Self::Settle) {
            for name in [
                "enable_seqscan",
                "enable_bitmapscan",
                "enable_hashjoin",
                "enable_mergejoin",
            ] {
                set(name, "off");
            }
        }
        settings
    }
}

/// The rest of the settings, once the session has begun.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(AFTERWARDS)
        .persistent(false)
        .execute(connection)
        .await
        .map(drop)
}
