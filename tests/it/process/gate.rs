//! A receiver whose answers wait behind a gate.

use axum::{Router, http::HeaderMap, routing::post};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::Semaphore};

pub(super) struct Gate {
    pub(super) address: SocketAddr,
    passes: Arc<Semaphore>,
    arrived: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// Starts a receiver with a closed gate.
    pub(super) async fn start() -> Self {
        let (passes, arrived): (Arc<Semaphore>, Arc<Mutex<Vec<String>>>) =
            (Arc::new(Semaphore::new(0)), Arc::default());
        let (waits, notes) = (passes.clone(), arrived.clone());
        let answer = move |headers: HeaderMap| async move {
            let id = headers["webhook-id"].to_str().expect("an id").to_owned();
            notes.lock().expect("no holder panics").push(id);
            waits.acquire().await.expect("it is never closed").forget();
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/", post(answer))).await },
        );
        Self {
            address,
            passes,
            arrived,
        }
    }

    /// How many requests have arrived.
    pub(super) fn arrived(&self) -> usize {
        self.arrived.lock().expect("no holder panics").len()
    }

    /// Opens the gate for all requests from now on.
    pub(super) fn open(&self) {
        self.passes.add_permits(100_000);
    }

    pub(super) fn config(&self, more: &str) -> String {
        format!(
            "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n\n\
             [handlers.gate]\nkind = \"http\"\ntypes = [\"*\"]\nurl = \"http://{}/\"\nsecrets = [\"env:HANDLER_SECRET\"]\n\
             allow_private = true\ntimeout = \"2m\"\n{more}\n",
            self.address
        )
    }
}
