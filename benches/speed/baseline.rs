//! A server as people usually write it: verify, parse, one INSERT for each request, 200. It is the
//! comparison for `ingest`.
//!
//! It is as good as such servers usually are: it checks the same signature, its statement is
//! prepared, its pool is warm and makes no round trips of its own, and the event and its pending
//! delivery are one statement and so one commit.

use crate::orders::{PATH, keyed};
use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
    serve::ListenerExt,
};
use hmac::Mac;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::env;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

const TABLES: &str = "\
    CREATE TABLE webhook_events ( \
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
        request_id text NOT NULL UNIQUE, \
        received_at timestamptz NOT NULL DEFAULT now(), \
        body bytea NOT NULL); \
    CREATE TABLE webhook_outbox ( \
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
        event_id bigint NOT NULL, \
        attempts integer NOT NULL DEFAULT 0, \
        due_at timestamptz NOT NULL DEFAULT now())";

const INSERT: &str = "\
    WITH event AS ( \
        INSERT INTO webhook_events (request_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id) \
    INSERT INTO webhook_outbox (event_id) SELECT id FROM event";

#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Connections to the database.
    #[arg(long, default_value_t = 20)]
    pool: u32,
}

#[derive(serde::Deserialize)]
struct Order {
    request_id: String,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Runtime::new()?.block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
        let pool = PgPoolOptions::new()
            .max_connections(self.pool)
            .min_connections(self.pool)
            .test_before_acquire(false)
            .connect(&variable("DATABASE_URL")?)
            .await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        let app = Router::new().route(PATH, post(receive)).with_state(pool);
        let admin = Router::new().route("/readyz", get(async || "ready"));
        let listener = TcpListener::bind(variable("HOOKFAST_LISTEN")?)
            .await?
            .tap_io(|stream| {
                // A failure here costs only a little time.
                let _ = stream.set_nodelay(true);
            });
        let admin_listener = TcpListener::bind(variable("HOOKFAST_ADMIN_LISTEN")?).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served?,
            served = async { axum::serve(admin_listener, admin).await } => served?,
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}

async fn receive(
    State(pool): State<PgPool>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    if !is_signed(&headers, &body) {
        return (StatusCode::UNAUTHORIZED, "");
    }
    let Ok(order) = serde_json::from_slice::<Order>(&body) else {
        return (StatusCode::BAD_REQUEST, "");
    };
    match sqlx::query(INSERT)
        .bind(order.request_id)
        .bind(&body[..])
        .execute(&pool)
        .await
    {
        Ok(_) => (StatusCode::OK, r#"{"status":"ok"}"#),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, ""),
    }
}

fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let mut signature = [0; 64];
    let given = headers
        .get("airalo-signature")
        .is_some_and(|value| hex::decode_to_slice(value, &mut signature).is_ok());
    given && keyed().chain_update(body).verify_slice(&signature).is_ok()
}
