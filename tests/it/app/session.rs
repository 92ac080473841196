//! Session state that a handler leaves is reset before the next delivery, and Hookfast's settings
//! stay in place.

use super::{Running, subscription};
use crate::support::postgres::database;
use hookfast::internals::domain::Connections;
use sqlx::{AssertSqlSafe, Row};

/// `untidy` records the state of the session, and leaves one of every kind of state in it.
const SHOP: &str = r#"
CREATE SCHEMA shop;
CREATE ROLE {role} SUPERUSER;
CREATE SEQUENCE shop.numbers;
CREATE TABLE shop.seen (
    pid integer, app text, tenant text, path text, read_only text, jit text, durable text, timeout text,
    users text, temporary regclass, locks bigint, channels bigint, cursors bigint, prepared bigint);
CREATE FUNCTION shop.untidy(event hookfast.event) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
    INSERT INTO shop.seen SELECT pg_backend_pid(), current_setting('application_name'),
        nullif(current_setting('app.tenant', true), ''), current_setting('search_path'),
        current_setting('default_transaction_read_only'), current_setting('jit'), current_setting('synchronous_commit'),
        current_setting('lock_timeout'), session_user || ' ' || current_user, to_regclass('pg_temp.scratch'),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
        (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors WHERE is_holdable),
        (SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'plan%');
    PERFORM pg_advisory_lock(7);
    IF event.type = 'shop.fails' AND event.attempt_number = 1 THEN RAISE 'with the lock in its hands'; END IF;
    PERFORM set_config('app.tenant', event.event_id::text, false), set_config('search_path', 'nowhere', false),
        set_config('default_transaction_read_only', 'on', false), set_config('jit', 'on', false),
        set_config('synchronous_commit', 'off', false), set_config('lock_timeout', '1ms', false),
        set_config('application_name', 'a shop', false), pg_catalog.nextval('shop.numbers');
    CREATE TEMP TABLE scratch (id integer);
    EXECUTE 'LISTEN shop';
    EXECUTE 'DECLARE kept CURSOR WITH HOLD FOR SELECT 1';
    EXECUTE 'PREPARE "plan; of the shop" AS SELECT 1';
    EXECUTE 'SET ROLE {role}';
END $$;
CREATE FUNCTION shop.another_user(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.seen (pid, users) VALUES (pg_backend_pid(), session_user || ' ' || current_user);
    EXECUTE 'SET SESSION AUTHORIZATION {role}';
END $$;
CREATE FUNCTION shop.prevents_the_reset(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.seen (pid) VALUES (pg_backend_pid());
    EXECUTE 'DEALLOCATE hookfast_reset';
END $$;
CREATE FUNCTION shop.forgets_statements(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF event.attempt_number = 1 THEN EXECUTE 'DEALLOCATE ALL'; END IF;
END $$;
"#;

/// A shop with one handler that has a single connection.
struct Shop {
    running: Running,
    role: String,
}

impl Shop {
    async fn open(function: &str) -> (Self, crate::support::postgres::Database) {
        let database = database().await;
        let role = format!(
            "role_of_{}",
            database.url().rsplit('/').next().expect("a name")
        );
        let shop = SHOP.replace("{role}", &role);
        sqlx::raw_sql(AssertSqlSafe(shop))
            .execute(&mut database.connect().await)
            .await
            .expect("a shop");
        let running = Running::start(&database, |builder| {
            let mut shop = subscription("shop");
            shop.types = vec!["shop.*".parse().expect("a pattern")];
            shop.policy.connections = Connections::new(1).expect("in range");
            builder
                .source(super::source(
                    hookfast::internals::domain::OnInvalidSignature::Reject,
                ))
                .sql_source("events".parse().expect("a name"))
                .sql_handler(shop, function)
        })
        .await;
        (Self { running, role }, database)
    }

    /// One event after the other.
    async fn handle(&self, types: &[&str]) {
        for of_type in types {
            self.running
                .execute(&format!(
                    "SELECT hookfast.enqueue('events', '{of_type}', '{{}}')"
                ))
                .await;
            self.running
                .until("SELECT count(*) FROM hookfast_data.outbox", 0)
                .await;
        }
    }

    async fn close(self) {
        let pool = self.running.pool.clone();
        self.running.end().await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {}", self.role)))
            .execute(&pool)
            .await
            .expect("the role is unused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_finds_the_session_as_the_first_one_did() {
    let (shop, _database) = Shop::open("shop.untidy").await;
    shop.handle(&["shop.first", "shop.fails", "shop.third", "shop.fourth"])
        .await;
    let outcomes =
        "SELECT string_agg(outcome, ',' ORDER BY event_id, attempt_number) FROM hookfast.attempts";
    assert_eq!(
        shop.running.text(outcomes).await,
        "delivered,retry,delivered,delivered,delivered"
    );
    let seen = sqlx::query(
        "SELECT DISTINCT app, tenant, path, read_only, jit, durable, timeout, users, \
            temporary IS NULL AND locks = 0 AND channels = 0 AND cursors = 0 AND prepared = 0 AS empty FROM shop.seen",
    );
    let seen = seen
        .fetch_all(&shop.running.pool)
        .await
        .expect("the observed order");
    assert_eq!(seen.len(), 1, "{seen:?}");
    let text = |column| seen[0].get::<String, _>(column);
    assert_eq!(seen[0].get::<Option<String>, _>("tenant"), None);
    assert_eq!(
        [text("app"), text("jit"), text("durable")],
        ["hookfast transaction", "off", "on"]
    );
    assert!(seen[0].get::<bool, _>("empty"));
    // The connection was reset and not replaced.
    assert_eq!(
        shop.running
            .count("SELECT count(DISTINCT pid) FROM shop.seen")
            .await,
        1
    );
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    shop.running.until(left, 0).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_becomes_another_user_does_not_stay_that_user() {
    let (shop, _database) = Shop::open("shop.another_user").await;
    shop.handle(&["shop.first", "shop.second", "shop.third"])
        .await;
    assert_eq!(
        shop.running
            .text("SELECT string_agg(DISTINCT users, ',') FROM shop.seen")
            .await,
        "hookfast hookfast"
    );
    assert_eq!(
        shop.running
            .count("SELECT count(DISTINCT pid) FROM shop.seen")
            .await,
        1
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_reset_is_closed() {
    let (shop, _database) = Shop::open("shop.prevents_the_reset").await;
    shop.handle(&["shop.first", "shop.second", "shop.third"])
        .await;
    let outcomes = "SELECT string_agg(outcome, ',') FROM hookfast.attempts";
    assert_eq!(
        shop.running.text(outcomes).await,
        "delivered,delivered,delivered"
    );
    assert_eq!(
        shop.running
            .count("SELECT count(DISTINCT pid) FROM shop.seen")
            .await,
        3
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_our_statements_costs_only_the_attempt_that_removed_them() {
    let (shop, _database) = Shop::open("shop.forgets_statements").await;
    shop.handle(&["shop.first", "shop.second"]).await;
    let retries = "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'retry' AND error NOT LIKE 'the commit failed%'";
    assert_eq!(shop.running.count(retries).await, 0);
    assert_eq!(
        shop.running
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'")
            .await,
        2
    );
    shop.close().await;
}
