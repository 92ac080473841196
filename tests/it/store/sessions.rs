//! Hookfast's sessions keep their meaning, whatever the database sets for all of its sessions.

use super::Store;
use hookfast::internals::store::{
    Role, SettleOutcome, Settled, Settlement, ensure_indexes, ensure_partitions, purge_expired,
};
use sqlx::{AssertSqlSafe, Executor};

/// Each setting with a value that another program may need.
const HOSTILE: &[(&str, &str)] = &[
    ("search_path", "evil, pg_catalog"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("row_security", "off"),
    ("bytea_output", "escape"),
    ("standard_conforming_strings", "off"),
    ("\"DateStyle\"", "'German, DMY'"),
    ("\"IntervalStyle\"", "iso_8601"),
    ("\"TimeZone\"", "'Pacific/Apia'"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "LATIN1"),
    ("session_replication_role", "replica"),
    ("lock_timeout", "1"),
    ("statement_timeout", "1000"),
    ("idle_session_timeout", "50"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("plan_cache_mode", "force_generic_plan"),
    ("synchronous_commit", "off"),
    ("debug_print_plan", "on"),
    ("log_parameter_max_length_on_error", "-1"),
    ("transaction_timeout", "100"),
    ("restrict_nonsystem_relation_kind", "view"),
];

/// Objects that are called instead of the server's: a better match, or one that is first in the
/// path.
const EVIL: &str = "CREATE SCHEMA evil; \
    CREATE FUNCTION evil.convert_from(bytea, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$; \
    CREATE FUNCTION evil.power(integer, integer) RETURNS float LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$; \
    CREATE FUNCTION evil.to_char(date, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$; \
    CREATE FUNCTION evil.\"right\"(name, integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$; \
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$; \
    CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$";

impl Store {
    /// Sets every hostile setting that this Postgres has.
    async fn set_hostile(&self) {
        let name: String = self.text("SELECT current_database()::text").await;
        // One session, which began before.
        let mut session = self.pool.acquire().await.expect("a connection");
        for (setting, value) in HOSTILE {
            let exists: bool = sqlx::query_scalar("SELECT current_setting($1, true) IS NOT NULL")
                .bind(setting.trim_matches('"'))
                .fetch_one(&mut *session)
                .await
                .expect("an answer");
            if exists {
                let set = format!("ALTER DATABASE {name} SET {setting} = {value}");
                session.execute(AssertSqlSafe(set)).await.expect("set");
            }
        }
    }
}

#[tokio::test]
async fn whatever_a_database_sets_events_are_stored_claimed_settled_and_read() {
    let store = Store::new().await;
    store.execute(EVIL).await;
    store.set_hostile().await;
    let lease = store.lease().await;
    assert_eq!(store.fill("hostile", 3).await, 3);
    let claims = store.claim_all(lease, 10).await;
    assert_eq!(claims.len(), 3);
    let settlement = |claim| Settlement {
        claim,
        outcome: SettleOutcome::Delivered,
        status: None,
        error_kind: hookfast::internals::domain::ErrorKind::default(),
        error: None,
        duration: None,
    };
    let mut settle = store.connection(Role::Settle).await;
    let settlements: Vec<_> = claims.into_iter().map(settlement).collect();
    assert_eq!(settle.settle(&settlements).await, [Settled::Done; 3]);
    let general = store.of.pool(Role::General, 1);
    ensure_partitions(&general).await.expect("partitions");
    ensure_indexes(&store.of).await.expect("indexes");
    purge_expired(&store.of, || false).await.expect("retention");
    for query in [
        "SELECT count(*) FROM hookfast.events WHERE payload_error IS NOT NULL",
        "SELECT count(*) FROM hookfast.deliveries WHERE state = 'delivered'",
        "SELECT count(*) FROM hookfast.events WHERE body IS NOT NULL",
    ] {
        let count: i64 = sqlx::query_scalar(query)
            .fetch_one(&general)
            .await
            .expect(query);
        assert_eq!(count, 3, "{query}");
    }
}

#[tokio::test]
async fn a_session_has_our_settings_and_not_the_databases() {
    let store = Store::new().await;
    store.execute("CREATE SCHEMA evil").await;
    store.set_hostile().await;
    let roles = [
        Role::Ingest,
        Role::Claim,
        Role::Settle,
        Role::Lease,
        Role::Transaction,
        Role::Quarantine,
        Role::General,
    ];
    for role in roles {
        let pool = store.of.pool(role, 1);
        for (name, ours) in [
            ("default_transaction_isolation", "read committed"),
            ("default_transaction_deferrable", "off"),
            ("row_security", "on"),
            ("bytea_output", "hex"),
            ("standard_conforming_strings", "on"),
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("client_encoding", "UTF8"),
            ("session_replication_role", "origin"),
            ("idle_session_timeout", "10min"),
            ("array_nulls", "on"),
            ("transform_null_equals", "off"),
            ("plan_cache_mode", "auto"),
            ("debug_print_plan", "off"),
            ("log_parameter_max_length_on_error", "0"),
            ("transaction_timeout", "0"),
            ("restrict_nonsystem_relation_kind", ""),
        ] {
            let set: Option<String> =
                sqlx::query_scalar("SELECT pg_catalog.current_setting($1, true)")
                    .bind(name)
                    .fetch_one(&pool)
                    .await
                    .expect("an answer");
            assert!(
                set.as_deref().is_none_or(|set| set == ours),
                "{role:?} {name} = {set:?}"
            );
        }
        let path: String = sqlx::query_scalar("SHOW search_path")
            .fetch_one(&pool)
            .await
            .expect("an answer");
        // The SQL of a handler has the settings of its owner.
        let ours = if role == Role::Transaction {
            "evil, pg_catalog"
        } else {
            "pg_catalog,pg_temp"
        };
        assert_eq!(path, ours, "{role:?}");
    }
}
