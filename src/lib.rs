//! Durable webhook receiver and queue for Postgres.
//!
//! Hookfast verifies each webhook, commits it to your database before answering 200, and delivers
//! it to every subscribed handler with retries, ordering and dead letters. Most users run the
//! program `hookfast` with a configuration file. This page is for embedding the library in a Rust
//! program.
//!
//! # Getting started
//!
//! You need Postgres 15 or later and a database in which the role may create schemas. Hookfast
//! creates the schemas `hookfast` and `hookfast_data` beside your tables.
//!
//! ```toml
//! [dependencies]
//! hookfast = { path = "…" }
//! serde_json = "1"
//! tokio = { version = "1", features = ["full"] }
//!
//! # For handlers that write through the settling transaction. It has to be the version that
//! # Hookfast uses: with another version, its types are not those of
//! # `SettlingTransaction::connection`, and the program does not compile.
//! sqlx = { version = "0.9", features = ["postgres", "runtime-tokio"] }
//!
//! # Shows what Hookfast logs. Any subscriber of `tracing` works.
//! tracing-subscriber = "0.3"
//! ```
//!
//! **1. A source**: the sender, and how its webhooks are verified. [`sources::airalo`] is for
//! Airalo's Partner API; [`sources::standard_webhooks`] and [`sources::hmac`] are for most others.
//! [`sources::SourceKind`] is the trait for your own kind.
//!
//! **2. A handler**: what processes an event. It returns its outcome: delivered, retry later, or
//! dead.
//!
//! **3. A [`Builder`](app::Builder)** that combines them. The app [runs](app::App::run) until its
//! token is cancelled.
//!
//! ```no_run
//! use hookfast::app::{Builder, Subscription};
//! use hookfast::domain::{Delivery, Outcome};
//! use hookfast::ingress::{OnInvalidSignature, Source};
//! use hookfast::signing::Secret;
//! use hookfast::sources::airalo::Airalo;
//! use std::sync::Arc;
//!
//! /// Runs at least once: `delivery.event.id` is the same on every attempt and identifies repeats.
//! async fn print(delivery: Delivery) -> Outcome {
//!     match delivery.event.json::<serde_json::Value>() {
//!         Ok(payload) => println!("{} {payload}", delivery.event.event_type),
//!         Err(error) => return Outcome::dead(error.to_string()),
//!     }
//!     Outcome::Delivered
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = Secret::new("env:AIRALO_CLIENT_SECRET", std::env::var("AIRALO_CLIENT_SECRET")?.into_bytes())?;
//!     let airalo = Source::new("airalo".parse()?, Arc::new(Airalo), vec![secret], OnInvalidSignature::Reject)?;
//!     let stop = hookfast::CancellationToken::new();
//!     let app = Builder::new(&std::env::var("DATABASE_URL")?)?
//!         .source(airalo)
//!         .handler(Subscription::new("print", &["airalo.*"])?, print)
//!         .ingress(tokio::net::TcpListener::bind("127.0.0.1:8080").await?)
//!         .build();
//!     let running = tokio::spawn(app.run(stop.clone()));
//!     tokio::signal::ctrl_c().await?;
//!     stop.cancel();
//!     running.await??;
//!     Ok(())
//! }
//! ```
//!
//! The app receives webhooks at `POST /webhooks/airalo`.
//!
//! # Exactly-once handlers
//!
//! A [`TransactionalHandler`](handlers::TransactionalHandler) gets the transaction that settles its
//! delivery. Its writes in that transaction commit together with the settlement, or not at all.
//! `examples/ledger.rs` is a complete program with such a handler.
//! [`Builder::sql_handler`](app::Builder::sql_handler) calls a Postgres function in that
//! transaction. [`Builder::pull_handler`](app::Builder::pull_handler) is for clients in any
//! language, which claim deliveries through SQL. `docs/HANDLERS.md` describes both.
//!
//! # Modules
//!
//! | task | items |
//! |---|---|
//! | Set a handler's attempts, timeout, order and more | [`domain::HandlerPolicy`], [`domain::RetryPolicy`], [`domain::Order`] |
//! | Read an event | [`domain::Delivery`], [`domain::Event`] |
//! | Push to an HTTP endpoint | [`handlers::HttpHandler`] |
//! | Limit the resources that senders may use | [`domain::IngressLimits`], [`domain::QuarantineLimits`] |
//! | Read the configuration file of the program | [`config::Config`], [`Builder::from_config`](app::Builder::from_config), [`Reloader`](app::Reloader) |
//! | Enqueue events in your own transactions | `hookfast.enqueue` in SQL, with [`Builder::sql_source`](app::Builder::sql_source) |
//!
//! Errors are types. [`app::RunError`] explains why an app could not start or continue, and
//! [`store::StoreError`] what failed in the database. A handler reports its result with
//! [`handlers::Failed`] and [`domain::Outcome`]. Each error message contains what happened, what
//! was not affected, and what to do next.
//!
//! # Testing a handler
//!
//! A handler is a function of a [`domain::Delivery`], whose fields are public: create a delivery
//! and call the handler. For an end-to-end test, start [`dev::postgres::Cluster`] (a private
//! Postgres), build an app on its URL with an ingress on port 0, and post a body signed with
//! [`sources::airalo::sign`].

pub mod airalo;
pub mod app;
mod boot_time;
pub mod cli;
pub mod config;
pub mod dev;
pub mod domain;
pub mod handlers;
mod http_server;
pub mod ingress;
mod maintenance;
pub mod signing;
pub mod sources;
pub mod store;
pub mod telemetry;
mod throttle;
pub mod worker;

/// Cancel this token to stop [`app::App::run`].
pub use tokio_util::sync::CancellationToken;
