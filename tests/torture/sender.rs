//! The sender: distinct orders, each sent again until it is answered 200, and a log of every
//! request.

use crate::{
    exchange::{Answer, post, post_and_leave},
    support::airalo::{order, request},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// How many orders are in flight at once.
const SENDERS: u64 = 8;

/// How many customers there are: a multiple of the senders, so that each customer has one.
const CUSTOMERS: u64 = 8 * SENDERS;

/// The pause after each order, and before a request is sent again.
const PAUSE: Duration = Duration::from_millis(25);

/// One request: its order, time, process and result.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) order: u64,
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) to: SocketAddr,
    pub(crate) answer: Answer,
}

/// What a sender does with an order.
#[derive(Clone, Copy)]
enum Manner {
    Once,
    /// Again after its 200.
    Repeated,
    /// Twice at the same time.
    AtOnce,
    /// Not a second time, whatever the answer is.
    NotAwaited,
}

/// The request id of an order; its webhook and everything that follows from it carry it.
pub(crate) fn request_id(order: u64) -> String {
    format!("torture-{order:017}")
}

/// The customer of an order. One sender sends all orders of a customer, each after the previous one
/// has ended.
pub(crate) fn customer(order: u64) -> u64 {
    order % CUSTOMERS
}

/// The current addresses for webhooks, as a load balancer knows them.
pub(crate) type Addresses = Arc<Mutex<Vec<SocketAddr>>>;

/// Webhooks that are being sent.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    seed: u64,
    begun: Instant,
    addresses: Addresses,
    turn: AtomicUsize,
    stopped: AtomicBool,
    log: Mutex<Vec<Sent>>,
}

impl Sender {
    pub(crate) fn start(seed: u64, addresses: Addresses) -> Self {
        let shared = Arc::new(Shared {
            seed,
            begun: Instant::now(),
            addresses,
            turn: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for sender in 1..=SENDERS {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                let mut orders = (sender..).step_by(SENDERS as usize);
                while !shared.stopped.load(Ordering::Relaxed) {
                    shared
                        .send(orders.next().expect("there is no last order"))
                        .await;
                    sleep(PAUSE).await;
                }
            });
        }
        Self { shared, tasks }
    }

    /// Starts no further order, waits for those in flight as long as `patience`, and returns the
    /// log.
    pub(crate) async fn finish(mut self, patience: Duration) -> Vec<Sent> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Orders that are not acknowledged by then are in the log.
        let _ = tokio::time::timeout(patience, all).await;
        self.tasks.shutdown().await;
        std::mem::take(&mut self.shared.log.lock().expect("no holder panics"))
    }
}

fn body(number: u64) -> Vec<u8> {
    let mut body: Value =
        serde_json::from_slice(&order(&request_id(number), number)).expect("it is JSON");
    body["customer"] = format!("customer-{}", customer(number)).into();
    body.to_string().into_bytes()
}

impl Shared {
    async fn send(&self, number: u64) {
        let bytes = request(&body(number));
        match self.manner(number) {
            Manner::Once => self.until_acknowledged(number, &bytes).await,
            Manner::Repeated => {
                self.until_acknowledged(number, &bytes).await;
                self.until_acknowledged(number, &bytes).await;
            }
            Manner::AtOnce => {
                tokio::join!(
                    self.until_acknowledged(number, &bytes),
                    self.until_acknowledged(number, &bytes)
                );
            }
            Manner::NotAwaited => {
                let (to, at) = (self.address(), self.begun.elapsed());
                let answer = post_and_leave(to, &bytes).await;
                self.note(number, at, to, answer);
            }
        }
    }

    fn manner(&self, number: u64) -> Manner {
        match StdRng::seed_from_u64(self.seed ^ (number << 32)).random_range(0..100) {
            0..85 => Manner::Once,
            85..92 => Manner::Repeated,
            92..97 => Manner::AtOnce,
            _ => Manner::NotAwaited,
        }
    }

    async fn until_acknowledged(&self, number: u64, bytes: &[u8]) {
        loop {
            let (to, at) = (self.address(), self.begun.elapsed());
            let answer = post(to, bytes).await;
            let is_acknowledged = matches!(answer, Answer::Acknowledged { .. });
            self.note(number, at, to, answer);
            if is_acknowledged {
                break;
            }
            sleep(PAUSE).await;
        }
    }

    fn address(&self) -> SocketAddr {
        let addresses = self.addresses.lock().expect("no holder panics");
        addresses[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len()]
    }

    fn note(&self, order: u64, at: Duration, to: SocketAddr, answer: Answer) {
        let took = self.begun.elapsed() - at;
        self.log.lock().expect("no holder panics").push(Sent {
            order,
            at,
            took,
            to,
            answer,
        });
    }
}
