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
//! **1. A [`Source`]**: the sender, and how its webhooks are verified. [`sources::airalo`] is for
//! Airalo's Partner API; [`sources::standard_webhooks`] and [`sources::hmac`] are for most others.
//! [`sources::SourceKind`] is the trait for your own kind.
//!
//! **2. A handler**: what processes an event. It returns its [`Outcome`]: delivered, retry later, or
//! dead.
//!
//! **3. A [`Builder`]** that combines them. The app [runs](App::run) until its token is cancelled.
//!
//! ```no_run
//! use hookfast::policy::OnInvalidSignature;
//! use hookfast::sources::airalo::Airalo;
//! use hookfast::{Builder, CancellationToken, Delivery, Outcome, Secret, Source, Subscription};
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
//!     let stop = CancellationToken::new();
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
//! A [`TransactionalHandler`] gets the transaction that settles its delivery. Its writes in that
//! transaction commit together with the settlement, or not at all. `examples/ledger.rs` is a
//! complete program with such a handler. [`Builder::sql_handler`] calls a Postgres function in that
//! transaction. [`Builder::pull_handler`] is for clients in any language, which claim deliveries
//! through SQL. `docs/HANDLERS.md` describes both.
//!
//! # Items
//!
//! | task | items |
//! |---|---|
//! | Set a handler's attempts, timeout, order and more | [`policy::HandlerPolicy`], [`policy::RetryPolicy`], [`policy::Order`] |
//! | Read an event | [`Delivery`], [`Event`] |
//! | Push to an HTTP endpoint | [`HttpHandler`] |
//! | Limit the resources that senders may use | [`policy::IngressLimits`], [`policy::QuarantineLimits`] |
//! | Read the configuration file of the program | [`Config`], [`Builder::from_config`], [`Reloader`] |
//! | Enqueue events in your own transactions | `hookfast.enqueue` in SQL, with [`Builder::sql_source`] |
//! | Order from Airalo exactly once | [`airalo::place_order`] |
//!
//! Errors are types. [`RunError`] explains why an app could not start or continue, and
//! [`StoreError`] what failed in the database. A handler reports its result with [`HandlerError`]
//! and [`Outcome`]. Each error message contains what happened, what was not affected, and what to do
//! next.
//!
//! # Testing a handler
//!
//! A handler is a function of a [`Delivery`], whose fields are public: create a delivery and call
//! the handler. For an end-to-end test, start a [`testing::Cluster`] (a private Postgres), build an
//! app on its URL with an ingress on port 0, and post a body signed with [`sources::airalo::sign`].

pub mod airalo;
pub mod sources;

mod app;
mod boot_time;
mod cli;
mod config;
mod console;
mod dev;
mod domain;
mod handlers;
mod http_server;
mod ingress;
mod maintenance;
mod signing;
mod store;
mod telemetry;
mod throttle;
mod worker;

pub use app::{App, Builder, Change, Reloaded, Reloader, RunError, Subscription};
pub use config::Config;
pub use domain::{
    Delivery, DeliveryId, ErrorKind, Event, EventId, HandlerName, Outcome, SourceName, TypePattern,
};
pub use handlers::{Handler, HandlerError, HttpHandler, TransactionalHandler};
pub use ingress::Source;
pub use signing::Secret;
pub use store::{SettlingTransaction, StoreError};
/// Cancel this token to stop [`App::run`].
pub use tokio_util::sync::CancellationToken;

/// Settings of sources and handlers.
pub mod policy {
    pub use crate::domain::{
        Breaker, Connections, HandlerPolicy, HttpHandlerSettings, IngressLimits, OnDeadLetter,
        OnInvalidSignature, Order, PayloadFields, PayloadFilter, QuarantineLimits, Rate, Retention,
        RetryPolicy, RoleNames,
    };
}

/// A private Postgres for tests.
pub mod testing {
    pub use crate::dev::postgres::{Cluster, ClusterError, ClusterOptions, Durability, Home};
}

/// For the program `hookfast`, its tests and benchmarks. Not part of the interface.
#[doc(hidden)]
pub mod internals {
    macro_rules! everything_of {
        ($($module:ident)*) => {
            $(pub mod $module { pub use crate::$module::*; })*
        };
    }

    everything_of! { app cli config console dev domain handlers ingress signing store telemetry }
}
