//! A local Airalo for development and tests: the parts of the Partner API that orders and
//! notifications need, with signatures, retries and configurable faults. Airalo's own sandbox
//! delivers no notifications.
//!
//! `GET /emulator/state` returns the emulator's state. Airalo has no such endpoint.

mod deliver;
mod faults;
mod payloads;
mod routes;
mod state;

pub use faults::FaultPlan;
pub use state::{EmulatorState, OptIn, Order, Request};

use crate::airalo::written;
use crate::handlers::plain_client;
use crate::signing::{Secret, WeakSecret};
use faults::FaultInjector;
use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The credentials and the behaviour of an emulator.
#[derive(Clone, Debug)]
pub struct EmulatorSettings {
    /// The client id of the partner.
    pub client_id: String,
    /// The client secret of the partner. It also signs the webhooks.
    pub client_secret: SecretString,
    /// The time between two attempts to send a webhook. Airalo documents 15 minutes.
    pub retry_every: Duration,
    /// The maximum number of attempts to send a webhook.
    pub max_attempts: u32,
    /// The period in which at most three tokens and five simulated webhooks are allowed, or `None`
    /// for no limit. Airalo's period is a minute.
    pub limits: Option<Duration>,
    /// The faults to simulate.
    pub faults: FaultPlan,
}

/// A local Airalo. Clones share one state.
#[derive(Clone)]
pub struct Emulator {
    inner: Arc<Inner>,
}

struct Inner {
    settings: EmulatorSettings,
    secret: Secret,
    fault_injector: FaultInjector,
    state: Mutex<EmulatorState>,
    http: reqwest::Client,
    stop: CancellationToken,
}

impl Emulator {
    /// Makes an emulator without any orders.
    ///
    /// # Errors
    /// If the secret is too short to sign with.
    ///
    /// # Panics
    /// Never: a client for plain http needs nothing from the system.
    pub fn new(settings: EmulatorSettings) -> Result<Self, WeakSecret> {
        let secret = Secret::new(
            "emulator",
            settings.client_secret.expose_secret().as_bytes().to_vec(),
        )?;
        let http = plain_client("http://localhost/", Duration::from_secs(5))
            .expect("plain http needs no certificates");
        let fault_injector = FaultInjector::new(settings.faults.seed);
        let inner = Inner {
            settings,
            secret,
            fault_injector,
            state: Mutex::new(EmulatorState {
                first: first_number(),
                ..EmulatorState::default()
            }),
            http,
            stop: CancellationToken::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Serves requests until `stop` is cancelled. Webhooks that are pending then are not sent.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let ended = self.inner.stop.clone().drop_guard();
        let served = axum::serve(listener, routes::router(self.inner.clone()));
        let served = served.with_graceful_shutdown(stop.cancelled_owned()).await;
        drop(ended);
        served
    }

    /// Returns the emulator's state as JSON.
    pub fn state(&self) -> serde_json::Value {
        serde_json::to_value(&*self.inner.state()).unwrap_or_default()
    }

    /// Invalidates all issued tokens.
    pub fn forget_tokens(&self) {
        self.inner.state().tokens.clear();
    }

    /// Whether no webhook is pending.
    pub fn is_quiet(&self) -> bool {
        self.inner
            .state()
            .requests
            .iter()
            .all(|request| request.done)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, EmulatorState> {
        self.state.lock()
    }
}

/// The first order number, made from the clock. Each millisecond has room for a thousand numbers.
fn first_number() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0) * 1000 + 1
}

fn now() -> String {
    written(SystemTime::now())
}
