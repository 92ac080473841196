//! A local Airalo: what of its Partner API orders and notifications need, with its signatures, its retries, and as much of
//! its misbehaviour as one asks for. For trying things out and for tests: its own sandbox delivers no notifications.
//!
//! `GET /emulator/state` tells what it knows, which Airalo does not.

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
use secrecy::{ExposeSecret, SecretString};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Who it takes calls from, and how it behaves.
#[derive(Clone, Debug)]
pub struct EmulatorSettings {
    /// The partner.
    pub client_id: String,
    /// Its secret; it also signs the webhooks.
    pub client_secret: SecretString,
    /// How long it waits before it sends a webhook again. Airalo's documentation says 15 minutes.
    pub retry_every: Duration,
    /// How often it sends a webhook at most.
    pub tries: u32,
    /// Within which time it gives out three tokens and five simulated webhooks, and no more; Airalo: a minute.
    pub limits: Option<Duration>,
    /// What goes wrong.
    pub faults: FaultPlan,
}

/// A local Airalo.
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
    /// One that has not been called yet.
    ///
    /// # Errors
    /// A secret too short to sign with.
    ///
    /// # Panics
    /// Never: the client of plain addresses needs nothing of the system.
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

    /// Answers until `stop`; webhooks that are still to be sent are not sent.
    ///
    /// # Errors
    /// Where the listener breaks.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let ended = self.inner.stop.clone().drop_guard();
        let served = axum::serve(listener, routes::router(self.inner.clone()));
        let served = served.with_graceful_shutdown(stop.cancelled_owned()).await;
        drop(ended);
        served
    }

    /// What it knows, as JSON.
    pub fn state(&self) -> serde_json::Value {
        serde_json::to_value(&*self.inner.state()).unwrap_or_default()
    }

    /// Takes no token any more that it gave out.
    pub fn forget_tokens(&self) {
        self.inner.state().tokens.clear();
    }

    /// Whether nothing is on its way any more.
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the clock, with room for a thousand in each of its milliseconds.
fn first_number() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0) * 1000 + 1
}

fn now() -> String {
    written(SystemTime::now())
}
