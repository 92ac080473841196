//! Airalo beyond the webhooks: the projection, the API, and no lost orders.

mod api;
mod command;
mod doubles;
mod payloads;
mod projection;
mod reconciliation;
mod state;

use crate::support::server::AIRALO_SECRET;
use hookfast::airalo::client::Client;
use hookfast::internals::dev::airalo_emulator::{Emulator, EmulatorSettings, FaultPlan};
use hookfast::sources::airalo::ClientSettings;
use secrecy::SecretString;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A local emulated Airalo.
struct Airalo {
    emulator: Emulator,
    address: SocketAddr,
    _stop: DropGuard,
}

const CLIENT_ID: &str = "partner";

impl Airalo {
    async fn start(faults: FaultPlan) -> Self {
        Self::with(|settings| settings.faults = faults).await
    }

    async fn with(change: impl FnOnce(&mut EmulatorSettings)) -> Self {
        let mut settings = EmulatorSettings {
            client_id: CLIENT_ID.to_owned(),
            client_secret: SecretString::from(AIRALO_SECRET),
            retry_every: Duration::from_millis(20),
            max_attempts: 20,
            limits: None,
            faults: at_once(),
        };
        change(&mut settings);
        let emulator = Emulator::new(settings).expect("a secret");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, stop) = (
            listener.local_addr().expect("bound"),
            CancellationToken::new(),
        );
        let (serving, stopping) = (emulator.clone(), stop.clone());
        tokio::spawn(async move { serving.serve(listener, stopping).await.expect("it serves") });
        Self {
            emulator,
            address,
            _stop: stop.drop_guard(),
        }
    }

    fn settings(&self) -> ClientSettings {
        ClientSettings {
            base_url: format!("http://{}", self.address),
            client_id: CLIENT_ID.to_owned(),
            client_secret: SecretString::from(AIRALO_SECRET),
            timeout: Duration::from_secs(10),
        }
    }

    fn client(&self) -> Client {
        Client::new(self.settings()).expect("an address")
    }
}

/// Orders that are completed as soon as they are placed.
fn at_once() -> FaultPlan {
    FaultPlan {
        delay: Duration::ZERO,
        ..FaultPlan::default()
    }
}
