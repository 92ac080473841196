//! The receiver behind the http handler: answers 200 after a random delay, so that deliveries are
//! running when a fault occurs, and keeps a log.

use axum::{Router, body::Bytes, extract::State, http::HeaderMap};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

/// The longest an answer takes.
const SLOWEST: Duration = Duration::from_millis(100);

type Log = Arc<Mutex<Vec<String>>>;

/// A receiver on a port of its own. It ends with the program.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    log: Log,
    _serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, log) = (listener.local_addr().expect("it is bound"), Log::default());
        let app = Router::new().fallback(receive).with_state(Arc::clone(&log));
        let serving = tokio::spawn(async move {
            axum::serve(listener, app)
                .await
                .expect("it serves to the end")
        });
        Self {
            address,
            log,
            _serving: serving,
        }
    }

    /// How often each event was received.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for event in self.log.lock().expect("no holder panics").iter() {
            *counts.entry(event.clone()).or_default() += 1;
        }
        counts
    }
}

/// Receivers deduplicate by the event's id.
async fn receive(State(log): State<Log>, headers: HeaderMap, _body: Bytes) {
    let event = headers
        .get("webhook-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    log.lock().expect("no holder panics").push(event);
    sleep(SLOWEST.mul_f64(rand::random())).await;
}
