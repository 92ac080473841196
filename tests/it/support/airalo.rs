//! Airalo's side: signed webhooks, sent repeatedly until they are accepted.

use super::{raw_http::Client, server::AIRALO_SECRET};
use hookfast::internals::signing::Secret;
use hookfast::sources::airalo;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpStream;

/// The result of a completed order, with one eSIM.
pub(crate) fn order(request_id: &str, order_id: u64) -> Vec<u8> {
    let body = serde_json::json!({
        "data": {"id": order_id, "code": format!("20261123-{order_id}"), "quantity": 1,
            "sims": [{"id": order_id, "iccid": format!("89{order_id:017}")}]},
        "meta": {"message": "success"},
        "request_id": request_id,
    });
    body.to_string().into_bytes()
}

/// A whole signed request.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    request_signed_with(AIRALO_SECRET, body)
}

/// A whole request, signed with some secret.
pub(crate) fn request_signed_with(secret: &str, body: &[u8]) -> Vec<u8> {
    let secret = Secret::new("test", secret.into()).expect("long enough");
    let (name, signature) = airalo::sign(&secret, body);
    let head = format!(
        "POST /webhooks/airalo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{name}: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends one webhook, and returns the answer.
pub(crate) async fn post(address: SocketAddr, body: &[u8]) -> (u16, serde_json::Value) {
    let mut client = Client::connect(address).await;
    client.send(request(body)).await;
    let answer = client.answer().await;
    (answer.status, answer.json())
}

/// Webhooks that are being sent over some connections.
pub(crate) struct Sending {
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    senders: tokio::task::JoinSet<()>,
}

impl Sending {
    /// Sends orders `from..to`, each until it gets its 200, whatever happens to the process
    /// meanwhile. `addresses` are tried in turn, as behind a load balancer.
    pub(crate) fn start(
        addresses: Vec<SocketAddr>,
        orders: std::ops::Range<u64>,
        connections: usize,
    ) -> Self {
        let mut sending = Self {
            acknowledged: Arc::default(),
            refused: Arc::default(),
            senders: Default::default(),
        };
        let (orders, addresses) = (Arc::new(std::sync::Mutex::new(orders)), Arc::new(addresses));
        for _ in 0..connections {
            let (orders, addresses) = (orders.clone(), addresses.clone());
            let (acknowledged, refused) = (sending.acknowledged.clone(), sending.refused.clone());
            sending.senders.spawn(async move {
                let mut turn = 0;
                loop {
                    let Some(order_id) = orders.lock().expect("no holder panics").next() else {
                        break;
                    };
                    let body = request(&order(&format!("request-{order_id:017}"), order_id));
                    while !try_once(addresses[turn % addresses.len()], &body).await {
                        turn += 1;
                        refused.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        sending
    }

    /// How many have got their 200.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// How often a webhook had to be sent again.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until all have got their 200.
    pub(crate) async fn finish(&mut self) {
        let all = async {
            while let Some(sender) = self.senders.join_next().await {
                sender.expect("a sender")
            }
        };
        tokio::time::timeout(Duration::from_secs(90), all)
            .await
            .expect("every webhook is acknowledged in time");
    }
}

/// Whether it was answered 200.
async fn try_once(address: SocketAddr, request: &[u8]) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok::<_, std::io::Error>(&head == b"HTTP/1.1 200")
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(20), exchange).await,
        Ok(Ok(true))
    )
}
