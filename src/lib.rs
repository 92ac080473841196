//! Hookfast: a durable webhook processor on Postgres.
//!
//! It verifies each webhook, commits it to Postgres before it answers 200, and brings it to every handler that wants it,
//! retrying until it is done or somebody decides otherwise. Most people run the program `hookfast`, configured by a
//! file; this page is for those who put it into a program of their own, in Rust.
//!
//! # From nothing
//!
//! You need Postgres 15 or later and a database in which the role may create schemas. Hookfast makes two of its own,
//! `hookfast` and `hookfast_data`, and lives beside your tables.
//!
//! ```toml
//! [dependencies]
//! hookfast = { path = "…" }
//! serde_json = "1"
//! tokio = { version = "1", features = ["full"] }
//!
//! # For handlers that write through the settling transaction. It has to be the version that Hookfast uses: with another
//! # one its types are not those of `SettlingTransaction::connection`, and the program does not compile.
//! sqlx = { version = "0.9", features = ["postgres", "runtime-tokio"] }
//!
//! # To see what Hookfast logs; any subscriber of `tracing` will do.
//! tracing-subscriber = "0.3"
//! ```
//!
//! **1. A source**: who sends, and how it is verified. [`sources::airalo`] is for Airalo's Partner API,
//! [`sources::standard_webhooks`] and [`sources::hmac`] for most others, and [`sources::SourceKind`] is the trait for yours.
//!
//! **2. A handler**: what is to be done with an event. The outcome is data: delivered, again later, or never.
//!
//! **3. A [`Builder`](app::Builder)** that puts them together, and [runs](app::App::run) until it is told to stop.
//!
//! ```no_run
//! use hookfast::app::{Builder, Subscription};
//! use hookfast::domain::{Delivery, Outcome};
//! use hookfast::ingress::{OnInvalidSignature, Source};
//! use hookfast::signing::Secret;
//! use hookfast::sources::airalo::Airalo;
//! use std::sync::Arc;
//!
//! /// At least once: `delivery.event.id` is the same on every attempt, and tells repeats.
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
//! Webhooks come in at `POST /webhooks/airalo`.
//!
//! # Exactly once
//!
//! A [`TransactionalHandler`](handlers::TransactionalHandler) gets the transaction that settles its delivery: what it
//! writes there commits together with the end of the delivery, or not at all. `examples/ledger.rs` is a whole program
//! with one. [`Builder::sql_handler`](app::Builder::sql_handler) calls a Postgres function in that transaction, and
//! [`Builder::pull_handler`](app::Builder::pull_handler) leaves the work to clients in any language; `docs/HANDLERS.md` has both.
//!
//! # Where things are
//!
//! | to | look at |
//! |---|---|
//! | say how a handler is run: tries, time-out, order and more | [`worker::HandlerPolicy`], [`domain::RetryPolicy`], [`domain::Order`] |
//! | read what came | [`domain::Delivery`], [`domain::Event`] |
//! | push to a server | [`handlers::HttpHandler`] |
//! | limit what senders may cost | [`ingress::IngressLimits`], [`ingress::QuarantineLimits`] |
//! | read the same file as the program does | [`config::Config`], [`Builder::from_config`](app::Builder::from_config), [`Reloader`](app::Reloader) |
//! | put events in from your own transactions | `hookfast.enqueue` in SQL, with [`Builder::sql_source`](app::Builder::sql_source) |
//!
//! Errors are types: [`app::RunError`] says why it could not start or go on, [`store::StoreError`] what the database did,
//! [`handlers::Failed`] and [`domain::Outcome`] what a handler answers. Each says what happened, what was not affected,
//! and what to do next.
//!
//! # Testing a handler
//!
//! A handler is a function of a [`domain::Delivery`], whose fields are public: make one and call it. To test the whole way start
//! [`dev::postgres::Cluster`] (a private Postgres), build an app on its URL with an ingress on port 0, and post what
//! [`sources::airalo::sign`] signed.

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

/// What [`app::App::run`] is stopped with.
pub use tokio_util::sync::CancellationToken;
