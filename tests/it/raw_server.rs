//! A receiver made of raw sockets, for answers that no HTTP library would give, and the deliveries
//! sent to it.

use hookfast::internals::domain::{
    Delivery, DeliveryId, ErrorKind, Event, EventId, HttpHandlerSettings, Outcome, Report,
};
use hookfast::internals::handlers::HttpHandler;
use hookfast::internals::signing::{Secret, standard_webhooks};
use serde_json::json;
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

/// Longer than any step here takes, and shorter than a person waits for a hung test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A text that must never appear in an error: it is in the query of every URL and in a header.
pub(crate) const PASSWORD: &str = "hunter2";

pub(crate) struct RawServer {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl RawServer {
    /// Calls `serve` with each connection and its number, from 1.
    pub(crate) async fn start<F, T>(serve: F) -> Self
    where
        F: Fn(usize, TcpStream) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(serve(number, stream));
            }
        });
        Self {
            addr,
            connections,
            accepting,
        }
    }

    /// Answers every request on every connection with these bytes.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |_, mut stream| {
            let answer = answer.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?token={PASSWORD}", self.addr)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) struct RawRequest {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} appears once");
        value
    }
}

/// One request; `None` if the client closed.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<RawRequest> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("headers of a request are text");
    let mut request = RawRequest {
        head,
        body: bytes[end..].to_vec(),
    };
    let length: usize = request
        .header("content-length")
        .expect("a length")
        .parse()
        .expect("a number");
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(
        request.body.len(),
        length,
        "nothing after the body: one request at a time"
    );
    Some(request)
}

pub(crate) fn secret(byte: u8) -> Secret {
    standard_webhooks::parse_secret("test", &standard_webhooks::secret_text([byte; 32]))
        .expect("a secret")
}

/// Settings for a receiver on this machine.
pub(crate) fn settings(url: impl Into<String>) -> HttpHandlerSettings {
    HttpHandlerSettings {
        url: url.into(),
        secrets: vec![secret(1)],
        timeout: PATIENCE / 2,
        allow_private: true,
        headers: vec![("authorization".to_owned(), format!("Bearer {PASSWORD}"))],
        forward_headers: vec![],
        dead_on: vec![],
    }
}

pub(crate) fn handler(url: impl Into<String>) -> HttpHandler {
    HttpHandler::new(settings(url)).expect("a handler")
}

pub(crate) fn delivery(body: impl Into<Vec<u8>>) -> Delivery {
    let event = Event {
        id: EventId(
            "0197f2a0-0000-7000-8000-000000000001"
                .parse()
                .expect("a uuid"),
        ),
        source: "airalo-eu".parse().expect("a name"),
        event_type: "airalo.order.completed".parse().expect("a type"),
        topic: None,
        idempotency_key: "order:1:completed".to_owned(),
        conflicts_with: None,
        received_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_547_200_007),
        headers: Arc::new(json!({"content-type": "application/json; charset=utf-8"})),
        body: body.into().into(),
    };
    Delivery {
        id: DeliveryId(42),
        attempt: 3,
        handler: "shop".parse().expect("a name"),
        event: Arc::new(event),
        replay: None,
    }
}

/// One attempt, which must end in time and reveal nothing.
pub(crate) async fn deliver(handler: &HttpHandler) -> Report {
    let delivery = delivery(r#"{"data":1}"#);
    let report = timeout(PATIENCE, handler.deliver(&delivery))
        .await
        .expect("the attempt ends");
    let error = error(&report);
    assert!(
        !error.contains(PASSWORD) && !error.contains('\0') && error.len() <= 2048,
        "{error:?}"
    );
    report
}

/// How the texts of errors without a response begin, with the kind of each.
const KINDS: [(&str, ErrorKind); 10] = [
    ("timed out after ", ErrorKind::Timeout),
    ("address blocked: ", ErrorKind::AddressBlocked),
    ("name not found: ", ErrorKind::NameResolution),
    ("tls failed: ", ErrorKind::Tls),
    ("connection refused: ", ErrorKind::ConnectionRefused),
    ("connection failed: ", ErrorKind::ConnectionFailed),
    ("connection broken: ", ErrorKind::ConnectionBroken),
    ("response too large: ", ErrorKind::ResponseTooLarge),
    ("not http: ", ErrorKind::InvalidResponse),
    ("request failed: ", ErrorKind::Request),
];

/// The error text of an attempt. An error without a response has the kind that its text names.
pub(crate) fn error(report: &Report) -> &str {
    if let (Outcome::Retry { error, kind, .. }, None) = (&report.outcome, report.status) {
        let named = KINDS.iter().find(|(start, _)| error.starts_with(start));
        assert_eq!(Some(*kind), named.map(|(_, kind)| *kind), "{error}");
    }
    match &report.outcome {
        Outcome::Delivered => "",
        Outcome::Retry { error, .. }
        | Outcome::Dead { error }
        | Outcome::EndpointGone { error } => error,
    }
}
