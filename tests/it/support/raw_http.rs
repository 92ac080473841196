//! A client that sends arbitrary bytes, and reads answers with a deadline.

use std::{future::Future, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// Nothing here takes so long; a test that waits longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The future's output, or a failed test.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value; header names are in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts a complete problem document of that name, and returns the answer.
    pub(crate) fn problem(&self, status: u16, name: &str) -> serde_json::Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:hookfast:problem:{name}"));
        assert_eq!(problem["status"], status);
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| title.len() > 5),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 20),
            "{problem}"
        );
        let retry_after = self
            .header("retry-after")
            .and_then(|seconds| seconds.parse::<u64>().ok());
        assert_eq!(
            retry_after.is_some_and(|seconds| seconds >= 1),
            status == 503,
            "{self:?}"
        );
        problem
    }
}

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = in_time("connect", TcpStream::connect(address))
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("an option of every socket");
        Self {
            stream,
            unread: vec![],
        }
    }

    /// The server's address.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.stream.peer_addr().expect("it is connected")
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        in_time("send", self.stream.write_all(bytes.as_ref()))
            .await
            .expect("the connection is open");
    }

    /// The same if the server may have closed already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        in_time("send", self.stream.write_all(bytes.as_ref())).await
    }

    /// Ends the sending side.
    pub(crate) async fn finish(&mut self) {
        self.stream
            .shutdown()
            .await
            .expect("the connection is open");
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.stream
            .set_zero_linger()
            .expect("an option of every socket");
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to(true).await
    }

    /// The next answer, to a HEAD.
    pub(crate) async fn answer_to_head(&mut self) -> Answer {
        self.answer_to(false).await
    }

    /// The head of an interim answer, such as 100.
    pub(crate) async fn interim(&mut self) -> String {
        in_time("an interim answer", self.head()).await
    }

    async fn answer_to(&mut self, with_body: bool) -> Answer {
        in_time("an answer", async {
            let head = self.head().await;
            let status = head
                .split(' ')
                .nth(1)
                .and_then(|s| s.parse().ok())
                .unwrap_or_else(|| panic!("{head}"));
            let mut answer = Answer {
                status,
                head,
                body: vec![],
            };
            let length = answer
                .header("content-length")
                .map_or(0, |length| length.parse().expect("a length"));
            if with_body {
                while self.unread.len() < length {
                    assert!(self.more().await, "closed within a body: {answer:?}");
                }
                answer.body = self.unread.drain(..length).collect();
            }
            answer
        })
        .await
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).expect("text").replace("\r\n", "\n");
            }
            assert!(
                self.more().await,
                "closed without an answer: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    async fn more(&mut self) -> bool {
        self.stream
            .read_buf(&mut self.unread)
            .await
            .expect("an answer, not a reset")
            > 0
    }

    /// Waits until the server closes the connection, and returns the remaining bytes.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        in_time("the server closes", async {
            // A reset closes as well.
            while self
                .stream
                .read_buf(&mut self.unread)
                .await
                .is_ok_and(|n| n > 0)
            {}
            std::mem::take(&mut self.unread)
        })
        .await
    }

    /// Asserts that the server, after its last answer, reads the rest of the request instead of
    /// resetting the connection, since a reset can destroy the answer. It need not do so for longer
    /// than a second.
    pub(crate) async fn may_finish(&mut self, answered: Instant) {
        assert_eq!(self.closed().await, b"", "nothing more");
        for _ in 0..20 {
            let sent = self.stream.write_all(b"the rest").await;
            assert!(
                sent.is_ok() || answered.elapsed() > Duration::from_millis(900),
                "reset at once: {sent:?}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether the server leaves the connection open, and silent, for that long.
    pub(crate) async fn stays_open(&mut self, time: Duration) -> bool {
        timeout(time, self.stream.read_buf(&mut self.unread))
            .await
            .is_err()
    }
}

/// A whole request with a body of known length.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: hooks.example\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() || method == "POST" {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}
