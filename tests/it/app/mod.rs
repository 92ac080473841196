//! A whole Hookfast inside the test: ingress, worker and handlers in Rust, in a separate database.

mod breaker;
mod broken_connection;
mod connections;
mod enqueue;
mod enqueue_many;
mod fence;
mod filter;
mod handlers;
mod hostile_bodies;
mod ledger;
mod ordered;
mod pull;
mod rate;
mod session;
mod sql_handler;
mod start;
mod stop;
mod strangers;
mod subscribers;
mod transactional;
mod wire;

use crate::support::{postgres::Database, raw_http::Client, server::AIRALO_SECRET, wait_until};
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::domain::{OnInvalidSignature, RetryPolicy};
use hookfast::internals::ingress::Source;
use hookfast::internals::signing::Secret;
use hookfast::sources::airalo::Airalo;
use sqlx::{AssertSqlSafe, PgPool, Row, postgres::PgRow};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A running Hookfast.
struct Running {
    ingress: SocketAddr,
    pool: PgPool,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The source `airalo`, with the tests' secret.
fn source(on_invalid_signature: OnInvalidSignature) -> Source {
    let secret =
        Secret::new("env:AIRALO_CLIENT_SECRET", AIRALO_SECRET.into()).expect("long enough");
    Source::new(
        "airalo".parse().expect("a name"),
        Arc::new(Airalo),
        vec![secret],
        on_invalid_signature,
    )
    .expect("a secret")
}

/// A subscription to everything, with a few immediate retries.
fn subscription(name: &str) -> Subscription {
    let mut subscription = Subscription::new(name, &["*"]).expect("a name");
    subscription.policy.retry = RetryPolicy::Delays(vec![Duration::from_millis(1); 3]);
    subscription
}

impl Running {
    /// Starts the declared application, with the source `airalo` if it declares none, and waits
    /// until it accepts webhooks.
    async fn start(database: &Database, declare: impl FnOnce(Builder) -> Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let ingress = listener.local_addr().expect("bound");
        let builder = Builder::new(database.url())
            .expect("a URL")
            .ingress(listener)
            .shutdown_timeout(Duration::from_secs(5));
        let app = declare(builder).build();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let task = tokio::spawn(async move { app.run(stopping).await.expect("it runs") });
        // An unsigned request does not test the database; a verified one that cannot be stored gets
        // 503.
        wait_until("the ingress", async || {
            let mut client = Client::connect(ingress).await;
            client
                .send(crate::support::airalo::request(
                    br#"{"level":"90%","iccid":"start","package_name":"p"}"#,
                ))
                .await;
            client.answer().await.status == 200
        })
        .await;
        Self {
            ingress,
            pool: database.pool().await,
            stop,
            task,
        }
    }

    async fn post(&self, body: &[u8]) -> (u16, serde_json::Value) {
        crate::support::airalo::post(self.ingress, body).await
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .expect("a number")
    }

    async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .expect("a text")
    }

    /// Completes a claimed delivery in a separate transaction.
    async fn complete(&self, claimed: &PgRow) {
        sqlx::query("SELECT hookfast.complete($1, $2)")
            .bind(claimed.get::<i64, _>("lease_id"))
            .bind(claimed.get::<i64, _>("delivery_id"))
            .execute(&self.pool)
            .await
            .expect("held");
    }

    /// Waits until a query returns the expected number.
    async fn until(&self, query: &'static str, number: i64) {
        wait_until(&format!("{query} = {number}"), async || {
            self.count(query).await == number
        })
        .await;
    }

    async fn execute(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&self.pool)
            .await
            .expect("a statement");
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends normally");
    }
}
