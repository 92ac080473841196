//! The settings of Hookfast's sessions. Settings of the database or the role (`ALTER DATABASE …
//! SET`, `ALTER ROLE … SET`) may be for other programs, so Hookfast sets everything itself that
//! would change the meaning of its statements.

use super::Role;
use sqlx::PgConnection;
use std::time::Duration;

/// The settings of every session. sqlx itself sets `client_encoding`, `DateStyle`, `TimeZone` and
/// `extra_float_digits`.
///
/// With `jit = on` the routing join costs 160–340 ms more per statement. The `debug_print` settings
/// and `log_parameter_max_length_on_error` would write payloads into the server's log. The idle and
/// TCP settings make the server drop a connection that this side has lost, and release its locks.
/// sqlx cannot set keepalives on this side; the deadlines replace them.
///
/// `default_transaction_read_only` is not set: providers turn it on when the disk is full, and
/// Hookfast waits then.
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

/// Settings that some versions of Postgres do not have, or that some roles may not set. A session
/// that began with them would be refused, so they are set afterwards. `session_replication_role`
/// needs a privilege. Without the privilege it keeps its value, which is harmless: the schema has
/// no triggers and no cascading foreign keys that would be skipped.
pub(super) const AFTERWARDS: &str = "SELECT pg_catalog.set_config(s.name, s.value, false) \
    FROM (VALUES ('transaction_timeout', '0', true), ('restrict_nonsystem_relation_kind', '', true), \
        ('session_replication_role', 'origin', \
            pg_catalog.has_parameter_privilege('session_replication_role', 'SET'))) AS s (name, value, may) \
    WHERE s.may AND pg_catalog.current_setting(s.name, true) <> s.value";

impl Role {
    /// How long a statement waits for a row that another transaction holds. Hookfast repeats a
    /// settlement itself, but only the sender can repeat a request. `None` means no limit.
    pub(super) fn lock_timeout(self) -> Option<Duration> {
        match self {
            Self::Ingest | Self::Quarantine | Self::Claim => Some(Duration::from_secs(1)),
            Self::Settle => Some(Duration::from_millis(200)),
            Self::Console => Some(Duration::from_secs(5)),
            Self::Lease | Self::Transaction | Self::General => None,
        }
    }

    /// The startup settings of a session. Hookfast sets `synchronous_commit = on` itself, since a
    /// 200 depends on it.
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
        // A handler's SQL may rely on the settings of the role. Hookfast's own statements in the
        // same session use qualified names.
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
        // Together with the joins by ctid, these keep the plans of claim and settle the same in
        // every state of the tables.
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

/// Sets the remaining settings after the session has begun.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(AFTERWARDS)
        .persistent(false)
        .execute(connection)
        .await
        .map(drop)
}
