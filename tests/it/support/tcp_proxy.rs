//! A connection to Postgres that tests can cut, stall, freeze, and break at the worst moment: after
//! the server has got a statement and before the client has got the answer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The proxy. Its connections end with it.
pub(crate) struct TcpProxy {
    url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// Resolves when the break has happened and the server has ended the connection: all its work is
/// done by then.
pub(crate) type Broken = oneshot::Receiver<()>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    Stalled,
    Truncated,
}

struct Shared {
    server: SocketAddr,
    line: watch::Sender<Line>,
    /// How many connections have been accepted.
    accepted: AtomicU64,
    /// Connections up to this number never transfer a byte again.
    frozen: AtomicU64,
    /// These connections too.
    frozen_alone: Mutex<HashSet<u64>>,
    plan: Mutex<Option<Plan>>,
}

/// When to break a connection, once.
enum Plan {
    AfterClientSent(Message, Then, oneshot::Sender<()>),
    AfterServerSent(usize, oneshot::Sender<()>),
}

/// The message to wait for: a part of it, and a part of the start-up message of its connection.
struct Message {
    bytes: Vec<u8>,
    start_up: Vec<u8>,
}

impl Message {
    fn is(&self, message: &[u8], start_up: &[u8]) -> bool {
        let holds = |text: &[u8], part: &[u8]| {
            part.is_empty() || text.windows(part.len()).any(|found| found == part)
        };
        holds(message, &self.bytes) && holds(start_up, &self.start_up)
    }
}

/// What happens to a connection after that message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Break,
    Freeze,
}

impl TcpProxy {
    /// A proxy in front of the Postgres of `url`, which has to be an address and a port.
    pub(crate) async fn start(url: &str) -> Self {
        let mut url = url::Url::parse(url).expect("a URL");
        let server = format!(
            "{}:{}",
            url.host_str().expect("an address"),
            url.port().expect("a port")
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        url.set_port(Some(listener.local_addr().expect("it is bound").port()))
            .expect("a URL with a host");
        let server = server.parse().expect("an address and a port");
        let shared = Arc::new(Shared {
            server,
            line: watch::Sender::new(Line::Open),
            plan: Mutex::new(None),
            accepted: AtomicU64::new(0),
            frozen: AtomicU64::new(0),
            frozen_alone: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            url: url.into(),
            shared,
            accepting,
        }
    }

    /// The URL with the proxy instead of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Resets all connections, and each new one at once.
    pub(crate) fn cut(&self) {
        self.shared.line.send_replace(Line::Truncated);
    }

    /// Keeps the connections and transfers nothing, in either direction.
    pub(crate) fn stall(&self) {
        self.shared.line.send_replace(Line::Stalled);
    }

    /// The connections that are open now stay open and never transfer a byte again; new ones work.
    pub(crate) fn freeze(&self) {
        self.shared.frozen.store(
            self.shared.accepted.load(Ordering::SeqCst),
            Ordering::SeqCst,
        );
    }

    /// Transfers everything again, including what [`TcpProxy::stall`] held back.
    pub(crate) fn open(&self) {
        self.shared.line.send_replace(Line::Open);
    }

    /// Breaks the next connection on which the client sends `bytes` in a message: the server gets
    /// that message, and all up to the next point where it has to act (`Query` or `Sync`); the
    /// client gets no byte of the answer.
    pub(crate) fn lose_answer_to(&self, bytes: &[u8]) -> Broken {
        let message = Message {
            bytes: bytes.to_vec(),
            start_up: Vec::new(),
        };
        self.plan(|broken| Plan::AfterClientSent(message, Then::Break, broken))
    }

    /// The same for a connection of that application, but it stays open and never transfers a byte
    /// again. Resolves when the server has the message.
    pub(crate) fn freeze_answer_to(&self, application: &str, bytes: &[u8]) -> Broken {
        let message = Message {
            bytes: bytes.to_vec(),
            start_up: [application.as_bytes(), b"\0"].concat(),
        };
        self.plan(|frozen| Plan::AfterClientSent(message, Then::Freeze, frozen))
    }

    /// Breaks a connection after the server has sent `count` more bytes in all; the client gets
    /// exactly these.
    pub(crate) fn cut_after_server_bytes(&self, count: usize) -> Broken {
        self.plan(|broken| Plan::AfterServerSent(count, broken))
    }

    fn plan(&self, plan: impl FnOnce(oneshot::Sender<()>) -> Plan) -> Broken {
        let (sender, receiver) = oneshot::channel();
        *self.shared.plan.lock().expect("no holder panics") = Some(plan(sender));
        receiver
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::spawn(async move { carry(client, number, &shared).await });
    }
}

/// Serves one connection to its end.
async fn carry(mut client: TcpStream, number: u64, shared: &Shared) {
    let mut line = shared.line.subscribe();
    let is_cut = async {
        line.wait_for(|line| *line == Line::Truncated)
            .await
            .is_err()
    };
    let mut broken = None;
    let carrying = async {
        let Ok(mut server) = TcpStream::connect(shared.server).await else {
            return;
        };
        let _ = (server.set_nodelay(true), client.set_nodelay(true));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        broken = tokio::select! {
            biased;
            broken = carry_messages(from_client, to_server, number, shared) => broken,
            broken = carry_bytes(from_server, to_client, number, shared) => broken,
        };
        // The client gets nothing more. Closing the other side now could make the system discard
        // what the server has not read yet, so the server finishes first.
        let _ = (client.shutdown().await, server.shutdown().await);
        let mut unheard = [0; 4096];
        let drain = async { while server.read(&mut unheard).await.is_ok_and(|count| count > 0) {} };
        let _ = timeout(Duration::from_secs(10), drain).await;
    };
    tokio::select! {
        _ = is_cut => { let _ = client.set_zero_linger(); }
        () = carrying => {}
    }
    drop(client);
    if let Some(broken) = broken {
        let _ = broken.send(());
    }
}

impl Shared {
    /// Waits while the line is stalled, and forever if the connection is frozen.
    async fn is_moving(&self, number: u64) {
        let _ = self
            .line
            .subscribe()
            .wait_for(|line| *line != Line::Stalled)
            .await;
        let alone = self
            .frozen_alone
            .lock()
            .expect("no holder panics")
            .contains(&number);
        if alone || number <= self.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    fn take_plan_for_message(
        &self,
        message: &[u8],
        start_up: &[u8],
        number: u64,
    ) -> Option<(Then, oneshot::Sender<()>)> {
        let mut plan = self.plan.lock().expect("no holder panics");
        match plan.take() {
            Some(Plan::AfterClientSent(waited_for, then, broken))
                if waited_for.is(message, start_up) =>
            {
                if then == Then::Freeze {
                    self.frozen_alone
                        .lock()
                        .expect("no holder panics")
                        .insert(number);
                }
                Some((then, broken))
            }
            other => {
                *plan = other;
                None
            }
        }
    }

    /// How much of the server's `chunk` is passed on to the client, and whom to notify if that is
    /// the end.
    fn take_plan_for_chunk(&self, chunk: usize) -> (usize, Option<oneshot::Sender<()>>) {
        let mut plan = self.plan.lock().expect("no holder panics");
        match plan.take() {
            Some(Plan::AfterServerSent(count, broken)) if count <= chunk => (count, Some(broken)),
            Some(Plan::AfterServerSent(count, broken)) => {
                *plan = Some(Plan::AfterServerSent(count - chunk, broken));
                (chunk, None)
            }
            other => {
                *plan = other;
                (chunk, None)
            }
        }
    }
}

/// From the client to the server, in whole messages. Ends with the connection, or if it is to be
/// broken.
async fn carry_messages(
    mut client: ReadHalf<'_>,
    mut server: WriteHalf<'_>,
    number: u64,
    shared: &Shared,
) -> Option<oneshot::Sender<()>> {
    let (mut pending, mut is_started, mut planned) = (Vec::new(), false, None);
    let mut start_up = Vec::new();
    while client
        .read_buf(&mut pending)
        .await
        .is_ok_and(|count| count > 0)
    {
        shared.is_moving(number).await;
        while let Some(length) = message_length(&pending, is_started) {
            let message: Vec<u8> = pending.drain(..length).collect();
            planned = planned.or_else(|| shared.take_plan_for_message(&message, &start_up, number));
            server.write_all(&message).await.ok()?;
            if is_started && matches!(message[0], b'Q' | b'S') {
                match planned.take() {
                    Some((Then::Break, broken)) => return Some(broken),
                    Some((Then::Freeze, frozen)) => {
                        let _ = frozen.send(());
                        return std::future::pending().await;
                    }
                    None => {}
                }
            }
            // A request for encryption is not the start yet: that has the protocol's version, 3.
            if !is_started && message[4..6] == [0, 3] {
                is_started = true;
                start_up = message;
            }
        }
    }
    None
}

/// From the server to the client.
async fn carry_bytes(
    mut server: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    number: u64,
    shared: &Shared,
) -> Option<oneshot::Sender<()>> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = server
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        shared.is_moving(number).await;
        let (count, broken) = shared.take_plan_for_chunk(count);
        client.write_all(&chunk[..count]).await.ok()?;
        if broken.is_some() {
            return broken;
        }
    }
}

/// The length of the whole message that `bytes` begin with: a type (not before the start-up), then
/// a length that includes itself.
fn message_length(bytes: &[u8], is_started: bool) -> Option<usize> {
    let type_length = usize::from(is_started);
    let length = bytes.get(type_length..type_length + 4)?;
    let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
    let shortest = if is_started { 4 } else { 8 };
    let whole = type_length + usize::try_from(length.max(shortest)).expect("32 bits fit");
    (bytes.len() >= whole).then_some(whole)
}
