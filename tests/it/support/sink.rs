//! The receiver behind an http handler, and the requests it got.

use super::server::HANDLER_SECRET;
use hookfast::internals::dev::receiver::{ModeSwitch, Notice, Received, Receiver};
use hookfast::internals::signing::standard_webhooks::parse_secret;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A receiver on a separate port.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    pub(crate) mode: ModeSwitch,
    received: Arc<Mutex<Vec<Received>>>,
    _stop: DropGuard,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let requests = received.clone();
        let secret = parse_secret("test", HANDLER_SECRET).expect("a secret");
        let receiver = Receiver::new(vec![secret], move |notice| {
            if let Notice::Received(one) = notice {
                requests.lock().expect("no holder panics").push(one);
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, mode) = (listener.local_addr().expect("bound"), receiver.mode());
        let stop = CancellationToken::new();
        tokio::spawn(receiver.serve(listener, stop.clone()));
        Self {
            address,
            mode,
            received,
            _stop: stop.drop_guard(),
        }
    }

    /// A configuration with one http handler that pushes to this receiver. `more` contains further
    /// lines of its section.
    pub(crate) fn config(&self, more: &str) -> String {
        format!(
            "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n\n\
             [handlers.sink]\nkind = \"http\"\ntypes = [\"*\"]\nurl = \"http://{}/\"\nsecrets = [\"env:HANDLER_SECRET\"]\n\
             allow_private = true\n{more}\n",
            self.address
        )
    }

    /// How often each event arrived.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for one in self.received.lock().expect("no holder panics").iter() {
            *counts.entry(one.id.clone()).or_default() += 1;
        }
        counts
    }

    /// How many requests arrived in all.
    pub(crate) fn requests(&self) -> usize {
        self.received.lock().expect("no holder panics").len()
    }
}
